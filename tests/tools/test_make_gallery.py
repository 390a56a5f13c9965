"""docs/gallery.md says what the last runs of the examples have reached, and shows their pictures."""

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("make_gallery", ROOT / "tools" / "make_gallery.py")
make_gallery = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_gallery)


def test_the_page_is_the_one_that_the_tool_writes():
    results = json.loads((make_gallery.GALLERY / "results.json").read_text("utf-8"))
    assert sorted(results) == sorted(path.stem for path in make_gallery.EXAMPLES.glob("*.py"))
    assert make_gallery.PAGE.read_text("utf-8") == make_gallery.page(results), "run tools/make_gallery.py --page"


def test_each_example_has_a_small_picture():
    for path in make_gallery.EXAMPLES.glob("*.py"):
        picture = make_gallery.GALLERY / f"{path.stem.replace('_', '-')}.png"
        assert 2_000 < picture.stat().st_size <= make_gallery.LARGEST
