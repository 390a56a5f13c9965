"""OpenBLAS: matrix products, each of its calls in one thread, several calls at once from the threads of `pool`.

The library is that of the package `scipy-openblas32`: a copy of its own, beside the one inside of NumPy, so that what is
set here changes nothing for NumPy.

A product is cut into tiles of the result, by its sizes alone. The dimension that is summed is never cut. So results do not
depend on the number of threads.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import struct
from functools import lru_cache
from pathlib import Path

from septet.backends.cpu import jit
from septet.backends.cpu.loading import failure, load, reason_of

NAME, PACKAGE = "OpenBLAS", "scipy_openblas32"
HINT = (
    'run: pip install --force-reinstall scipy-openblas32; until then st.config.set(backend="reference") computes with '
    "NumPy"
)
VARIABLE = "OPENBLAS_NUM_THREADS"

FIELDS = (
    "a", "b", "c", "m", "n", "k", "a_transposed", "b_transposed", "lda", "ldb", "ldc", "rows", "columns", "n_m", "n_n",
    "inner", "a_outer", "a_inner", "b_outer", "b_inner", "c_outer", "c_inner", "a_row", "b_column", "c_row", "item",
    "alpha", "beta",
)  # fmt: skip
"""The arguments of a product, in order: addresses; sizes; whether a and b are transposed (0 or 1); elements from row to
row in memory; rows and columns of a tile, and how many tiles there are of each; size of the inner batch; bytes from one
matrix to the next along the outer and the inner batch; bytes from row to row of op(a), column to column of op(b), row to
row of c, column to column of c; alpha and beta as the bits of doubles (see `bits`)."""

GEMM = """
declare void @CBLAS(i32, i32, i32, i32, i32, i32, KIND, ptr, i32, ptr, i32, KIND, ptr, i32)
declare i64 @llvm.smin.i64(i64, i64)
define void @NAME(ptr %args, i64 %begin, i64 %end) #0 {
entry:
LOADS
  %a_code = trunc i64 %a_transposed to i32
  %b_code = trunc i64 %b_transposed to i32
  %op_a = add i32 %a_code, 111
  %op_b = add i32 %b_code, 111
  %k32 = trunc i64 %k to i32
  %lda32 = trunc i64 %lda to i32
  %ldb32 = trunc i64 %ldb to i32
  %ldc32 = trunc i64 %ldc to i32
  %alpha.d = bitcast i64 %alpha to double
  %beta.d = bitcast i64 %beta to double
  %alpha.k = ROUND
  %beta.k = ROUND
  br label %tile
tile:
  %t = phi i64 [ %begin, %entry ], [ %t1, %tile ]
  %column = urem i64 %t, %n_n
  %t.m = udiv i64 %t, %n_n
  %row = urem i64 %t.m, %n_m
  %t.batch = udiv i64 %t.m, %n_m
  %i = urem i64 %t.batch, %inner
  %o = udiv i64 %t.batch, %inner
  %m0 = mul i64 %row, %rows
  %n0 = mul i64 %column, %columns
  %m.left = sub i64 %m, %m0
  %n.left = sub i64 %n, %n0
  %m.own = call i64 @llvm.smin.i64(i64 %rows, i64 %m.left)
  %n.own = call i64 @llvm.smin.i64(i64 %columns, i64 %n.left)
  %a1 = mul i64 %o, %a_outer
  %a2 = mul i64 %i, %a_inner
  %a3 = mul i64 %m0, %a_row
  %a4 = add i64 %a1, %a2
  %a5 = add i64 %a4, %a3
  %pa = getelementptr i8, ptr %a, i64 %a5
  %b1 = mul i64 %o, %b_outer
  %b2 = mul i64 %i, %b_inner
  %b3 = mul i64 %n0, %b_column
  %b4 = add i64 %b1, %b2
  %b5 = add i64 %b4, %b3
  %pb = getelementptr i8, ptr %b, i64 %b5
  %c1 = mul i64 %o, %c_outer
  %c2 = mul i64 %i, %c_inner
  %c3 = mul i64 %m0, %c_row
  %c4 = mul i64 %n0, %item
  %c5 = add i64 %c1, %c2
  %c6 = add i64 %c3, %c4
  %c7 = add i64 %c5, %c6
  %pc = getelementptr i8, ptr %c, i64 %c7
  %m32 = trunc i64 %m.own to i32
  %n32 = trunc i64 %n.own to i32
  call void @CBLAS(i32 101, i32 %op_a, i32 %op_b, i32 %m32, i32 %n32, i32 %k32, KIND %alpha.k, ptr %pa, i32 %lda32,
    ptr %pb, i32 %ldb32, KIND %beta.k, ptr %pc, i32 %ldc32)
  %t1 = add i64 %t, 1
  %more = icmp slt i64 %t1, %end
  br i1 %more, label %tile, label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Tiles begin to end of c = alpha op(a) op(b) + beta c, row by row, for a batch of matrices; begin < end."""

KINDS = {"sgemm_task": ("float", "cblas_sgemm"), "dgemm_task": ("double", "cblas_dgemm")}


def module(name: str) -> jit.Module:
    """Return the kernel for `pool` that computes tiles of matrix products: `sgemm_task` or `dgemm_task`."""
    kind, function = KINDS[name]
    text = GEMM.replace("LOADS", "\n".join(_load(number, field) for number, field in enumerate(FIELDS)))
    for coefficient in ("alpha", "beta"):
        double = f"%{coefficient}.d"
        rounded = f"fptrunc double {double} to float" if kind == "float" else f"fadd double {double}, -0.0"
        text = text.replace("ROUND", rounded, 1)
    text = text.replace("NAME", name).replace("KIND", kind).replace("CBLAS", function)
    return jit.Module(name, text, {function: address(function)})


def _load(number: int, field: str) -> str:
    """Write the instructions that load an argument."""
    kind = "ptr" if field in ("a", "b", "c") else "i64"
    return f"  %p.{field} = getelementptr i64, ptr %args, i64 {number}\n  %{field} = load {kind}, ptr %p.{field}"


def bits(value: float) -> int:
    """Return the bits of a double as an integer, as `alpha` and `beta` are passed."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def address(function: str) -> int:
    """Return the address of a function of the library, by its usual name."""
    found = ctypes.cast(getattr(library(), f"scipy_{function}"), ctypes.c_void_p).value
    assert found
    return found


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Load the library, which then uses one thread for each call, and starts none of its own.

    Raises
    ------
    LibraryError
        If it cannot be loaded.
    """
    path = _path()
    given = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"  # read when the library is loaded, and never again
    try:
        found = load(path)
        found.scipy_openblas_set_num_threads(1)
        for _, function in KINDS.values():
            getattr(found, f"scipy_{function}")
    except (OSError, AttributeError) as error:
        raise failure(NAME, {path: reason_of(error, path)}, HINT) from error
    finally:
        if given is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = given
    return found


def _path() -> str:
    """Return the path of the library.

    The package is not imported: that would load the library for all to see, and SciPy, whose own copy has functions of
    the same names, would then call ours.
    """
    spec = importlib.util.find_spec(PACKAGE)
    tried = {} if spec else {f"the package {PACKAGE}": "it is not installed"}
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        own = Path(folder, "lib")
        found = [p for p in own.glob("*scipy_openblas*") if p.suffix in (".so", ".dylib", ".dll")]
        if found:
            return str(found[0])
        tried[str(own)] = "there is no such library"
    raise failure(NAME, tried, HINT)
