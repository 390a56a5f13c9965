"""Many texts compiled by one native call: the same code as one by one, the same errors, and Ctrl-C comes through."""

from __future__ import annotations

import signal
import threading

import pytest

from septet.backends.cpu import compiling, llvm
from septet.backends.cpu.compiling import compile_texts
from septet.base.errors import CompilerError


def text(number: int) -> str:
    return f"define i64 @f{number}(i64 %x) {{\n  %y = mul i64 %x, {number}\n  ret i64 %y\n}}"


@pytest.mark.parametrize("threads", [1, 3])
def test_the_code_is_that_of_one_text_after_the_other(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(compiling, "thread_count", lambda: threads)
    texts = [(text(number), number % 4) for number in range(40)]
    assert compile_texts(texts) == [llvm.compile_text(*own) for own in texts]
    assert compile_texts([]) == []


def test_a_wrong_text_among_many_is_an_error_with_the_words_of_llvm() -> None:
    texts = [(text(number), 0) for number in range(8)]
    texts[5] = ("define void @f() {\n  ret i64 %nowhere\n}", 0)
    with pytest.raises(CompilerError, match=r"cannot read this module: .*value doesn't match function result type"):
        compile_texts(texts)
    assert all(compile_texts(texts[:5]))


def test_the_verifier_looks_at_each_where_it_is_asked_for() -> None:
    wrong = """define i64 @f(i1 %c) {
entry:
  br i1 %c, label %a, label %b
a:
  %x = add i64 1, 2
  br label %b
b:
  ret i64 %x
}"""
    with pytest.raises(CompilerError, match="does not dominate all uses"):
        compile_texts([*[(text(number), 0) for number in range(8)], (wrong, 0)], verify=True)


def test_python_is_not_needed_meanwhile() -> None:
    """A thread that compiles many texts comes to an end beside one that runs Python all the time."""
    compile_texts([(text(number), 0) for number in range(8)])  # the native function
    outcome: list[int] = []
    thread = threading.Thread(target=lambda: outcome.append(len(compile_texts([(text(n), 0) for n in range(100)]))))
    thread.start()
    while thread.is_alive():
        sum(range(100))
    assert outcome == [100]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_handlers_of_signals_run_between_two_texts() -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Stop):
            while True:
                compile_texts([(text(number), 2) for number in range(400)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(compile_texts([(text(number), 0) for number in range(8)])) == 8
