"""What all pictures share: no global state, light imports, a clear word when the extra is missing."""

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from septet.base.errors import NotSupportedError, SeptetError
from septet.view import load_image, plot_curves, plot_predictions

ROOT = Path(__file__).resolve().parents[2]


def test_importing_view_loads_no_picture_library():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import septet.view; "
        "print([name for name in ('matplotlib', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drawing_leaves_pyplot_alone(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from septet.view import plot_curves; "
        f"plot_curves([{{'loss': 1.0}}], {str(tmp_path / 'curve.png')!r}); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert (tmp_path / "curve.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("module", "draw"),
    [
        ("matplotlib.figure", lambda path: plot_curves([{"loss": 1.0}], path)),
        ("matplotlib.figure", lambda path: plot_predictions(numpy.zeros((1, 2, 2)), [0], [0], None, ["a"], path)),
        ("PIL", lambda path: load_image(Path(path).with_name("picture.png"), (8, 8))),
    ],
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, module, draw):
    (tmp_path / "picture.png").write_bytes(b"any content")
    monkeypatch.setitem(sys.modules, module, None)  # makes its import fail
    with pytest.raises(NotSupportedError, match=r"pip install septet\[view\]") as caught:
        draw(tmp_path / "out.png")
    assert isinstance(caught.value, SeptetError)
    assert not (tmp_path / "out.png").exists()
