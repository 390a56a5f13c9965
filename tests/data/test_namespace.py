"""What `septet.data` has, and what it does not load before it is used."""

import subprocess
import sys

from septet import data

HEAVY = ("PIL", "pyarrow", "h5py", "tokenizers", "sqlite3", "tarfile", "zipfile", "csv", "multiprocessing", "urllib")


def test_every_name_is_there():
    for name in data.__all__:
        assert getattr(data, name) is not None and name in dir(data)
    assert set(data._PLACES) <= set(data.__all__)
    assert not hasattr(data, "nothing")


def test_streams_load_nothing_heavy():
    code = "import sys, numpy; before = set(sys.modules); import septet.data; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in HEAVY if name in done.stdout.split()]
