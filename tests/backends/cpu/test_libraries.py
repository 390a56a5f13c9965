"""Libraries that are missing or broken, in processes of their own: errors and warnings that help, right results."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from septet.backends.cpu import loading, onednn, openblas, openmp
from septet.base.errors import LibraryError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")
ROOT = Path(__file__).resolve().parents[3]


def blas() -> Path:
    """Return the real library of OpenBLAS."""
    return Path(openblas._path())


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no library" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def incomplete(path: Path) -> None:
    """A real library of which an installation has written the first half."""
    content = blas().read_bytes()
    path.write_bytes(content[: len(content) // 2])


def foreign(path: Path) -> None:
    """A real library that has none of the functions: that of the C compiler's runtime, or of mathematics."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        found = re.findall(r"/\S*/libm\S*\.so\S*", file.read())
    path.write_bytes(Path(found[0]).read_bytes())


def folder(path: Path) -> None:
    path.mkdir()


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "garbage": (garbage, "invalid ELF header"),
    "empty": (empty, "the file is no library: it has 0 bytes"),
    "incomplete": (incomplete, "the file is incomplete: it has"),
    "foreign": (foreign, "undefined symbol"),
    "folder": (folder, "is a directory"),
    "missing": (lambda path: None, "no such"),
}


@pytest.fixture
def without(tmp_path: Path) -> Callable[[str, str], list[Path]]:
    """Return what makes a folder, to be searched first, with a package whose library is broken in some way."""

    def make(package: str, how: str) -> list[Path]:
        own = tmp_path / "packages" / package
        library = own / ("binding/libllvmlite.so" if package == "llvmlite" else "lib/libscipy_openblas.so")
        library.parent.mkdir(parents=True)
        (own / "__init__.py").write_text("__version__ = '0.50.0'\n")
        BROKEN[how][0](library)
        return [tmp_path / "packages"]

    return make


def run(code: str, paths: list[Path] | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that looks for packages in some folders first."""
    places = os.pathsep.join(map(str, [*(paths or []), ROOT]))
    environment = {**os.environ, "PYTHONPATH": places, "SEPTET_BACKEND": "cpu", **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)


COMPILED = """
import numpy as np, septet as st
from septet.base.errors import LibraryError
x = np.arange(12, dtype=np.float32).reshape(3, 4)
try:
    st.compile(lambda x: st.tanh(x @ x.T))(x)
except LibraryError as error:
    print(error)
    assert isinstance(error, ImportError)
with st.config.override(backend="reference"):  # what the message proposes
    found = st.compile(lambda x: st.tanh(x @ x.T))(x).numpy()
np.testing.assert_allclose(found, np.tanh(x @ x.T), rtol=1e-6)
print("right")
"""


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(("package", "name", "install"), [
    ("llvmlite", "LLVM", 'pip install --force-reinstall "llvmlite>=0.50,<0.51"'),
    ("scipy_openblas32", "OpenBLAS", "pip install --force-reinstall scipy-openblas32"),
])  # fmt: skip
def test_compiled_code_raises_the_error(without: Callable, package: str, name: str, install: str, how: str) -> None:
    done = run(COMPILED, without(package, how))
    assert done.returncode == 0, done.stderr  # above all, no crash
    lines = done.stdout.splitlines()
    assert lines[0] == f"the library {name} cannot be loaded"
    assert lines[1].startswith("  tried ") and package in lines[1] and BROKEN[how][1] in lines[1].lower() + lines[1]
    assert lines[2].startswith("  hint: ") and install in lines[2] and 'backend="reference"' in lines[2]
    assert lines[3] == "  [S802] septet errors S802"
    assert lines[-1] == "right"


@pytest.mark.parametrize("package", ["llvmlite", "scipy_openblas32"])
def test_a_package_that_is_not_installed(package: str) -> None:
    done = run(f"import sys; sys.modules[{package!r}] = None\n" + COMPILED)
    assert done.returncode == 0, done.stderr
    assert f"tried the package {package}: " in done.stdout and done.stdout.endswith("right\n")


DEFINE_BY_RUN = """
import numpy as np, septet as st
for step in range(30):
    x = st.tensor(np.full((3, 4), step, np.float32))
    w = st.tensor(np.ones((4, 2), np.float32))
    y = st.tanh(x @ w * 0.01) + step
    assert abs(float(y.sum()) - 6 * (np.tanh(np.float32(step * 0.04)) + step)) < 1e-3
print("right")
"""


@pytest.mark.parametrize("tier", ["auto", "compile"])
@pytest.mark.parametrize(("package", "name"), [("llvmlite", "LLVM"), ("scipy_openblas32", "OpenBLAS")])
def test_define_by_run_code_goes_on_in_numpy_and_says_so_once(
    without: Callable, package: str, name: str, tier: str
) -> None:
    done = run(DEFINE_BY_RUN, without(package, "garbage"), SEPTET_TIER=tier)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "right\n"
    assert done.stderr.count(f"RuntimeWarning: the library {name} cannot be loaded") == 1
    assert "define-by-run code is computed with NumPy, op by op" in done.stderr
    assert "hint: run: pip install" in done.stderr


CONVOLUTION = """
import warnings
from pathlib import Path
import numpy as np, septet as st
from septet.backends.cpu import onednn
PREPARE
def f(x, kernel):
    return st.conv(x, kernel, groups=4, padding=1)
x = np.random.default_rng(0).standard_normal((2, 8, 9, 9)).astype(np.float32)
kernel = np.random.default_rng(1).standard_normal((8, 2, 3, 3)).astype(np.float32)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = [st.compile(f)(x, kernel).numpy() for _ in range(2)]
with st.config.override(backend="reference"):
    np.testing.assert_allclose(found[0], st.compile(f)(x, kernel).numpy(), rtol=1e-4, atol=1e-5)
for warning in caught:
    print(warning.message)
print(len(caught), "warnings")
"""


@pytest.mark.skipif(not onednn.available(), reason="no oneDNN on this system")
class TestConvolutions:
    def test_oneDNN_serves_where_groups_are_narrow(self) -> None:
        assert run(CONVOLUTION.replace("PREPARE", "")).stdout == "0 warnings\n"

    @pytest.mark.parametrize("how", ["garbage", "incomplete", "foreign", "missing"])
    def test_without_it_our_own_kernels_do_and_it_is_told_once(self, tmp_path: Path, how: str) -> None:
        path = tmp_path / onednn.FILE
        BROKEN[how][0](path)
        places = f"onednn._places = lambda: iter([Path('/nowhere') / onednn.FILE, Path({str(path)!r})])"
        done = run(CONVOLUTION.replace("PREPARE", places))
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == "the library oneDNN cannot be loaded"
        assert lines[1] == f"  tried /nowhere/{onednn.FILE}: no such file or directory"
        assert lines[2].startswith(f"  tried {path}: ") and BROKEN[how][1] in lines[2]
        assert lines[3] == "  our own kernels compute in its place, some convolutions more slowly"
        assert "pip install --force-reinstall onednn-cpu-gomp" in lines[4]
        assert lines[5:] == ["1 warnings"]

    def test_without_the_library_of_threads(self, tmp_path: Path) -> None:
        prepare = "from septet.backends.cpu import openmp; openmp._places = lambda: iter(['libgomp-of-nowhere.so.1'])"
        done = run(CONVOLUTION.replace("PREPARE", prepare))
        assert done.returncode == 0, done.stderr
        assert "the library libgomp.so.1 cannot be loaded tried libgomp-of-nowhere.so.1:" in done.stdout
        assert done.stdout.endswith("\n1 warnings\n")

    def test_a_broken_one_that_the_system_finds_first(self, tmp_path: Path) -> None:
        garbage(tmp_path / openmp.NAME)
        done = run(CONVOLUTION.replace("PREPARE", ""), LD_LIBRARY_PATH=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("warnings\n")


def test_the_command_doctor_tells_all_of_them(without: Callable) -> None:
    code = "import sys; sys.argv = ['septet', 'doctor']; from septet.cli.main import main; main()"
    paths = without("llvmlite", "garbage") + without("scipy_openblas32", "missing")
    done = run(code, paths)
    assert done.returncode == 1 and not done.stderr, done.stderr  # its exit status says that something is wrong
    assert "the library LLVM cannot be loaded\n  tried " in done.stdout
    assert "the library OpenBLAS cannot be loaded\n  tried " in done.stdout
    whole = run(code)
    assert whole.returncode == 0, whole.stdout
    for name in ("LLVM: llvmlite ", "OpenBLAS: OpenBLAS "):
        assert name in whole.stdout


class TestLoading:
    def test_whole_libraries_are_loaded(self) -> None:
        assert loading.load(blas())

    def test_a_file_that_lacks_its_last_bytes(self, tmp_path: Path) -> None:
        """The sections of a library, which come last, are not mapped; what is mapped must be there."""
        path = tmp_path / "library.so"
        content = blas().read_bytes()
        path.write_bytes(content[: int(len(content) * 0.9)])
        with pytest.raises(OSError, match=r"incomplete: it has \d+ bytes of \d+"):
            loading.load(path)

    @pytest.mark.parametrize("size", [0, 3, 63, 64, 200])
    def test_the_first_bytes_alone(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "library.so"
        path.write_bytes(blas().read_bytes()[:size])
        with pytest.raises(OSError, match=r"no library|incomplete"):
            loading.load(path)

    def test_the_warning_comes_once_for_each_consequence(self, recwarn: pytest.WarningsRecorder) -> None:
        error = loading.failure("libtest", {"/here": "it is gone"}, "put it back")
        for consequence in ("a", "a", "b"):
            error.warn(f"{consequence} of {importlib.util.find_spec('os')}")
        assert len(recwarn) == 2 and "tried /here: it is gone" in str(recwarn[0].message)
        assert isinstance(error, LibraryError) and error.hint == "put it back"
