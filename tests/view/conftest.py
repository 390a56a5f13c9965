"""What tests of pictures share."""

import pytest

from septet.view import canvas


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, for a look at their panels and lines."""
    saved = []
    save = canvas.save_figure

    def keep(figure, path):
        saved.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "save_figure", keep)
    return saved
