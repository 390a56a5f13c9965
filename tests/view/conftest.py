"""The pictures need the packages of the extra `septet[view]`."""

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")
pytest.importorskip("PIL", reason="Pillow is not installed (pip install septet[view])")
