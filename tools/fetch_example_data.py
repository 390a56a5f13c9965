"""Fetch the data of examples/time_series.py and examples/sentiment.py, which two packages carry.

Usage: python tools/fetch_example_data.py FOLDER

pip downloads the packages and nothing is installed; FOLDER then holds ``co2/co2.csv`` (from statsmodels, public
domain) and ``sentiment/movieReviewSnippets_GroundTruth.txt`` (from the source distribution of vaderSentiment 3.3.2, MIT
licence). A file that is there is not fetched again.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

SNIPPETS = "movieReviewSnippets_GroundTruth.txt"


def download(folder: Path, *words: str) -> Path:
    """Let pip download one package without its dependencies, and return its file."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", str(folder), *words], check=True)
    (file,) = folder.iterdir()
    return file


def co2(folder: Path) -> bytes:
    """Return the weekly carbon dioxide series, a file of statsmodels."""
    with zipfile.ZipFile(download(folder, "--only-binary", ":all:", "statsmodels")) as wheel:
        return wheel.read("statsmodels/datasets/co2/co2.csv")


def snippets(folder: Path) -> bytes:
    """Return the rated sentences, a file in an archive in the source distribution of vaderSentiment."""
    source = download(folder, "--no-binary", "vaderSentiment", "vaderSentiment==3.3.2")
    with tarfile.open(source) as outer:
        (inner,) = (member for member in outer.getmembers() if member.name.endswith("hutto_ICWSM_2014.tar.gz"))
        content = outer.extractfile(inner)
        assert content is not None
        with tarfile.open(fileobj=io.BytesIO(content.read())) as archive:
            file = archive.extractfile(f"hutto_ICWSM_2014/{SNIPPETS}")
            assert file is not None
            return file.read()


def main() -> None:
    """Fetch what is not there yet."""
    target = Path(sys.argv[1])
    for place, read in (("co2/co2.csv", co2), (f"sentiment/{SNIPPETS}", snippets)):
        path = target / place
        if not path.exists():
            with tempfile.TemporaryDirectory() as folder:
                content = read(Path(folder))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
