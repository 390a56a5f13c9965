"""Tests of compiling and loading: from IR text to addresses."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from septet.backends.cpu import jit, llvm
from septet.backends.cpu.jit import Module, addresses
from septet.base.config import config
from septet.base.errors import CompilerError

ATTRIBUTES = '\nattributes #0 = { nounwind "no-trapping-math"="true" }\n'


def adding(number: int, entry: str = "add") -> Module:
    """Make a module whose function returns its argument plus a number."""
    body = f"define i64 @{entry}(i64 %x) #0 {{\n  %y = add i64 %x, {number}\n  ret i64 %y\n}}"
    return Module(entry, body + ATTRIBUTES)


def call(address: int, x: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(x))


def test_functions_are_compiled_and_run() -> None:
    found = addresses([adding(number) for number in (1, 20, 300)])
    assert [call(address, 5) for address in found] == [6, 25, 305]


def test_equal_modules_are_one_function() -> None:
    first, second, third = addresses([adding(41), adding(42), adding(41)])
    assert first == third != second
    assert addresses([adding(42)]) == [second]


def test_the_same_entry_name_may_mean_different_functions() -> None:
    one, two = addresses([adding(1001), adding(1002)])
    assert (call(one, 0), call(two, 0)) == (1001, 1002)


def test_no_modules() -> None:
    assert addresses([]) == []


def test_the_key_depends_on_all_that_shapes_the_code() -> None:
    keys = {jit.key(adding(1)), jit.key(adding(2)), jit.key(adding(1, "other"))}
    assert len(keys) == 3


def test_a_wrong_text_is_an_error_with_the_words_of_llvm() -> None:
    wrong = Module("f", "define void @f() {\n  %x = add i64 1, %nowhere\n  ret void\n}")
    for _ in range(2):  # a failure leaves nothing behind that would change the second answer
        with pytest.raises(CompilerError, match="use of undefined value '%nowhere'"):
            addresses([wrong])
    assert call(addresses([adding(7)])[0], 0) == 7


def test_what_was_begun_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    compile_texts = jit.compile_texts

    def noting(own: Any, *args: Any, **options: Any) -> list[bytes]:
        texts.extend(text for text, _ in own)
        return compile_texts(own, *args, **options)

    monkeypatch.setattr(jit, "compile_texts", noting)
    monkeypatch.setattr(jit, "thread_count", lambda: 2)
    modules = [adding(number) for number in range(5000, 5020)]
    for start in range(0, 20, 4):
        jit.begin(modules[start : start + 4])
    found = addresses(modules[::-1])
    assert [call(address, 1) for address in found] == [*range(5020, 5000, -1)]
    assert len(texts) <= 20  # fewer where the cache on disk has them
    jit.begin(modules)
    assert not jit._queue


def test_a_wrong_text_that_was_begun_is_an_error_for_who_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "thread_count", lambda: 2)
    wrong = Module("f", "define void @f() {\n  %x = add i64 1, %nobody\n  ret void\n}")
    modules = [adding(number) for number in range(5100, 5110)]
    jit.begin([*modules[:5], wrong, *modules[5:]])
    assert [call(address, 0) for address in addresses(modules)] == [*range(5100, 5110)]
    with pytest.raises(CompilerError, match="use of undefined value '%nobody'"):
        addresses([wrong])


def test_lightly_compiled_functions_are_others() -> None:
    light = adding(3)._replace(level=jit.LIGHT)
    assert jit.key(light) != jit.key(adding(3))
    assert [call(address, 4) for address in addresses([light, adding(3)])] == [7, 7]


def test_the_entry_must_be_there() -> None:
    with pytest.raises(CompilerError, match="does not define its entry @missing"):
        addresses([Module("missing", adding(1).text)])


def test_what_the_verifier_refuses() -> None:
    # A value that does not dominate its use: the parser takes it.
    text = """define i64 @f(i1 %c) {
entry:
  br i1 %c, label %a, label %b
a:
  %x = add i64 1, 2
  br label %b
b:
  ret i64 %x
}"""
    with config.override(verify=True), pytest.raises(CompilerError, match="does not dominate all uses"):
        addresses([Module("f", text)])


def test_other_functions_of_the_process_are_not_found_by_name() -> None:
    text = "declare i32 @getpid()\ndefine i32 @f() {\n  %x = call i32 @getpid()\n  ret i32 %x\n}"
    with pytest.raises(CompilerError, match="getpid"):
        addresses([Module("f", text)])


def test_imports_are_found_before_functions_of_the_process() -> None:
    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    assert address
    text = """declare i32 @abs(i32)
define i64 @f(i64 %x) {
  %y = call i32 @abs(i32 5)
  %z = sext i32 %y to i64
  ret i64 %z
}"""
    assert call(addresses([Module("f", text, {"abs": address})])[0], 0) == os.getpid()


def test_functions_are_called_by_address() -> None:
    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    text = f"""define i64 @f(i64 %x) {{
  %y = call i32 inttoptr (i64 {address} to ptr)()
  %z = sext i32 %y to i64
  ret i64 %z
}}"""
    assert call(addresses([Module("f", text)])[0], 0) == os.getpid()


def test_copies_of_unknown_size_and_remainders_call_the_c_library() -> None:
    text = (
        """declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define void @f(ptr %to, ptr %from, i64 %n) #0 {
  %other = getelementptr i8, ptr %to, i64 %n
  %last = getelementptr i8, ptr %other, i64 %n
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %n, i1 false)
  call void @llvm.memset.p0.i64(ptr %other, i8 7, i64 %n, i1 false)
  call void @llvm.memmove.p0.p0.i64(ptr %last, ptr %from, i64 %n, i1 false)
  ret void
}"""
        + ATTRIBUTES
    )
    remainder = "define float @f(float %x, float %y) #0 {\n  %z = frem float %x, %y\n  ret float %z\n}" + ATTRIBUTES
    copy, single, double = addresses(
        [Module("f", text), Module("f", remainder), Module("f", remainder.replace("float", "double"))]
    )
    source = np.arange(100, dtype=np.uint8)
    target = np.zeros(300, np.uint8)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(copy)(
        target.ctypes.data, source.ctypes.data, 100
    )
    np.testing.assert_array_equal(target, np.concatenate([source, np.full(100, 7), source]))
    assert ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float, ctypes.c_float)(single)(-7.5, 2) == -1.5
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)(double)(7.5, -2) == 1.5


def test_many_threads_ask_for_the_same_functions() -> None:
    modules = [adding(number) for number in range(5000, 5040)]
    results: list[list[int]] = []
    threads = [threading.Thread(target=lambda: results.append(addresses(modules))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] for result in results)
    assert [call(address, 1) for address in results[0]] == list(range(5001, 5041))


def test_who_waits_for_a_thread_that_is_interrupted_compiles_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, go = threading.Event(), threading.Event()
    real = jit.compile_texts

    def interrupted(*args: Any, **words: Any) -> list[bytes]:
        if threading.current_thread() is not threading.main_thread() and not go.is_set():
            begun.set()
            go.wait()
            raise KeyboardInterrupt
        return real(*args, **words)

    monkeypatch.setattr(jit, "compile_texts", interrupted)
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            with config.override(cache_dir=tmp_path):  # with nothing in it
                addresses([adding(7001)])
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(60)
    threading.Timer(0.1, go.set).start()
    assert call(addresses([adding(7001)])[0], 1) == 7002
    thread.join()
    assert [type(error) for error in outcome] == [KeyboardInterrupt]


@pytest.mark.parametrize("where", ["key", "_claim", "_make", "_compile"])
def test_an_interruption_leaves_nothing_claimed(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    real = getattr(jit, where)

    def interrupted(*args: Any) -> Any:
        if where == "_claim":
            real(*args)
        raise KeyboardInterrupt

    module = adding(7100 + len(where))
    with monkeypatch.context() as patch:
        patch.setattr(jit, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            addresses([module])
    assert call(addresses([module])[0], 0) == 7100 + len(where)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_uses_old_functions_and_compiles_new_ones() -> None:
    old = addresses([adding(61)])[0]
    child = os.fork()
    if child == 0:  # the child never returns into pytest
        try:
            new = addresses([adding(61), adding(62)])
            right = new[0] == old and [call(address, 1) for address in new] == [62, 63]
            os._exit(0 if right else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_declarations_agree_with_those_of_the_installed_llvmlite() -> None:
    import llvmlite.binding.ffi as theirs
    from llvmlite import binding  # noqa: F401 (declares the functions)

    def size_and_kind(declared: object) -> tuple[int, str]:
        size = ctypes.sizeof(declared)  # type: ignore[arg-type]
        is_text = declared is ctypes.c_char_p
        is_pointer = is_text or declared is ctypes.c_void_p or isinstance(declared, type(ctypes.POINTER(ctypes.c_int)))
        return (size, "pointer" if is_pointer else "number")

    for name, (result, arguments) in llvm.FUNCTIONS.items():
        function = getattr(theirs.lib, name)
        if function.argtypes is None:
            assert arguments == () or name in ("LLVMPY_DisposeString",), name
        else:
            assert [size_and_kind(kind) for kind in function.argtypes] == [size_and_kind(kind) for kind in arguments], (
                name
            )
        if result is not None:
            assert size_and_kind(function.restype) == size_and_kind(result), name


def test_functions_import_from_others_that_are_compiled_with_them_or_before() -> None:
    first = adding(6100)
    text = "declare i64 @first(i64)\ndefine i64 @second(i64 %x) {\n  %y = call i64 @first(i64 %x)\n  ret i64 %y\n}"
    second = Module("second", text, {"first": first})
    third = Module("third", text.replace("@second", "@third").replace("@first", "@first.of"), {"first.of": second})
    assert call(addresses([third])[0], 5) == 6105
    before, after = addresses([adding(6200)])[0], Module("second", text, {"first": adding(6200)})
    assert (call(before, 1), call(addresses([after])[0], 1)) == (6201, 6201)
    assert jit.key(second) != jit.key(after)


def test_what_imports_from_a_wrong_function_is_an_error_too() -> None:
    wrong = Module("f", "define void @f() {\n  %x = add i64 1, %nowhere.at.all\n  ret void\n}")
    user = Module("g", "declare void @f()\ndefine void @g() {\n  call void @f()\n  ret void\n}", {"f": wrong})
    for _ in range(2):
        with pytest.raises(CompilerError, match="use of undefined value"):
            addresses([user])


def test_threads_that_need_each_others_functions_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "thread_count", lambda: 2)
    text = "declare i64 @add(i64)\ndefine i64 @f(i64 %x) {\n  %y = call i64 @add(i64 %x)\n  ret i64 %y\n}"
    chain = [adding(6300)]
    for number in range(12):
        chain.append(Module("f", f"; {number}\n{text}", {"add": chain[-1]}))
    results: list[list[int]] = []

    def work(step: int) -> None:
        if step > 0:
            jit.begin(chain[::step])
        results.append([call(address, 1) for address in addresses(chain[::step])])

    threads = [threading.Thread(target=work, args=(step,), daemon=True) for step in (1, -1, 2, -2, 3, -3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 6 and {value for row in results for value in row} == {6301}
