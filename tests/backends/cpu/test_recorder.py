"""The native recorder and walks do what `graph.op.record` and `run.walk` do in Python, on the same objects."""

from __future__ import annotations

import gc
import random
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import recorder as native
from septet.backends.cpu.pieces import Calls
from septet.base.errors import SeptetError
from septet.base.source import source_text
from septet.graph.node import Node
from septet.run import recorder, tiers, units, walk
from septet.run.backward import NativePull
from septet.run.evaluation import Evaluation
from septet.run.gradients import _tracked
from septet.run.programs import native_calls
from septet.transform import pullback
from septet.transform.pullback import Pullback

pytestmark = pytest.mark.skipif(
    st.config.backend != "cpu" or not native.is_supported(), reason="this Python has no native recorder"
)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave whoever records as it is."""
    before = tiers._clock
    yield
    (recorder.use_native if before >= tiers.MANY else recorder.use_python)()


WAYS = (recorder.use_python, recorder.use_native)


def side_by_side(work: Callable[[Any], None], arguments: Iterable[Any]) -> None:
    """Call a function in threads, one for each argument, which take turns much more often than usual."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


def program(seed: int, length: int) -> list[st.Tensor]:
    """Record a random program: operators, numbers, variables, several inputs, several results, parameters."""
    rng = random.Random(seed)
    row = st.asarray(np.arange(3, dtype=np.float32) - 1)
    table = st.asarray(np.arange(9, dtype=np.float32).reshape(3, 3) / 8)
    made: list[st.Tensor] = [row, row + 1, st.Variable(np.ones(3, np.float32)), st.asarray(np.arange(3))]
    steps: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a + b,
        lambda a, b: a - 1.5,
        lambda a, b: 2 * b,
        lambda a, b: a * True,
        lambda a, b: -a,
        lambda a, b: a / (b * b + 1),
        lambda a, b: st.tanh(a) @ table,
        lambda a, b: st.tanh(a),
        lambda a, b: st.concatenate((a, b, a))[1:4],
        lambda a, b: st.concatenate((b,)),
        lambda a, b: st.where(a > 0.25, a, b),
        lambda a, b: st.sum(a, axis=0, keepdims=rng.random() < 0.5) + row,
        lambda a, b: st.clip(a, rng.choice([0.0, -0.0, 0.5]), 2.0),
        lambda a, b: st.split(a, [1, 2])[0] + row,
        lambda a, b: st.tanh(a).astype(rng.choice(["float64", "float32", "int32"])),
        lambda a, b: (a < b) * row,
    ]
    for _ in range(length):
        a, b = rng.choice(made[-8:]), rng.choice(made[-8:])
        made.append(rng.choice(steps)(a, b))
    return made


def order(roots: list[st.Tensor]) -> list[Node]:
    """Return the nodes of some tensors, in the order in which they were recorded."""
    found: dict[Node, None] = dict.fromkeys(tensor.node for tensor in roots)
    for node in list(found):
        stack = [node]
        while stack:
            for source in stack.pop().inputs:
                if source not in found:
                    found[source] = None
                    stack.append(source)
    return sorted(found, key=walk.by_serial)


def described(nodes: list[Node]) -> list[tuple[Any, ...]]:
    """Return what nodes are, without the objects that differ from recording to recording."""
    numbers = {node: number for number, node in enumerate(nodes)}
    return [
        (
            node.op, tuple([numbers[source] for source in node.inputs]), node.type, node.flags, node.layers, node.hooks,
            source_text(node.source), node.resolution, None if node.op.is_leaf else (node.params, node.key),
        )
        for node in nodes
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_programs_are_recorded_alike(seed: int) -> None:
    found = []
    for use in WAYS:
        use()
        with st.config.override(record_limit=10**6):
            found.append([program(seed, 120) for _ in range(2)][1])  # the second one finds all resolutions known
    variables = [tensors[2].node.key for tensors in found]
    first, second = [described(order(tensors)) for tensors in found]
    assert len(first) == len(second) > 100
    for one, other in zip(first, second, strict=True):
        assert one[:-1] == other[:-1]
        assert variables[0] != variables[1]  # each has its own variable, whose key differs, and what depends on it
        assert one[-1] is None or one[-1][0] == other[-1][0]
    with st.config.override(tier="interpret"):
        for one_tensor, other_tensor in zip(*found, strict=True):
            np.testing.assert_array_equal(one_tensor.numpy(), other_tensor.numpy())


def test_keys_are_the_same() -> None:
    x, y = st.asarray(np.ones(3, np.float32)), st.asarray(np.ones(3, np.float32))
    keys = []
    for use in WAYS:
        use()
        for _ in range(2):
            parts = [x + y, -x, x * 0.7, x < y, *[st.concatenate((x, y, x)[:n]) for n in (1, 2, 3)], x - y]
            for _ in range(30):
                parts += [st.tanh(parts[-1] + x), st.where(x > 0, parts[-1], y)]
            keys.append([tensor.node.key for tensor in parts])
    assert keys[0] == keys[1] == keys[2] == keys[3]


def test_few_and_many_inputs_are_told_apart() -> None:
    recorder.use_native()
    x = st.asarray(np.ones(3, np.float32))
    for _ in range(3):
        assert [st.concatenate((x,) * n).shape for n in (1, 2, 3, 2, 1)] == [(3,), (6,), (9,), (6,), (3,)]


def test_parameters_are_told_apart_to_the_bit() -> None:
    recorder.use_native()
    x = st.asarray(np.array([-1.0, 0.5], np.float32))
    for _ in range(3):
        signs = [np.signbit(st.maximum(x, st.full(2, v)).numpy()[0]) for v in (0.0, -0.0, 0.0)]
        assert signs == [False, True, False]
        assert [st.sum(x, axis=0, keepdims=flag).shape for flag in (False, True, 0, 1)] == [(), (1,), (), (1,)]


def walks(roots: list[st.Tensor]) -> tuple[Any, ...]:
    """Return what the walks find, with serial numbers for nodes, so that nothing is held."""
    targets = [tensor.node for tensor in roots if tensor.node.value is None]
    nodes, uses = walk.pending(targets)
    kept = set(targets)
    walk.keep_held(nodes, uses, kept, True)
    found = walk.signature(nodes, kept)
    assert found is not None
    flat, leaves = found
    return (
        [node.serial for node in nodes], {node.serial: count for node, count in uses.items()},
        {node.serial for node in kept}, flat, [node.serial for node in leaves],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_walks_are_alike(seed: int) -> None:
    recorder.use_python()
    rng = random.Random(seed)
    with st.config.override(record_limit=10**6):
        roots = program(seed, 200)
    hold = rng.sample(order(roots), 10)
    del roots[4:-6]
    found = []
    for use in WAYS:
        use()
        found.append(walks(roots))
    assert found[0] == found[1]
    held = {node.serial for node in hold if node.value is None} & set(found[0][0])
    assert held and held <= found[0][2] and len(found[0][2]) < len(found[0][0])


def test_what_is_dropped_goes_at_once() -> None:
    recorder.use_native()
    x = st.asarray(np.ones(3, np.float32))
    gc.collect()
    gc.disable()
    try:
        y = st.tanh(x + 1.5) * x
        node, inner = weakref.ref(y.node), weakref.ref(y.node.inputs[0])
        assert node() is not None and inner() is not None
        del y
        assert node() is None and inner() is None
    finally:
        gc.enable()


def test_references_are_balanced() -> None:
    """Nothing that recording and walking touch is held once more, or once less, than before."""
    recorder.use_native()
    x, v = st.asarray(np.ones(3, np.float32)), st.Variable(np.ones(3, np.float32))

    def once() -> None:
        y = x
        for n in range(50):
            y = st.tanh(y + v) * 0.5 - x
            y = st.concatenate((y, x))[:3] if n % 7 == 0 else y
        for wrong in (lambda: y + st.ones(5), lambda: y + "text", lambda: st.tanh(y, y)):
            with pytest.raises((SeptetError, TypeError)):
                wrong()
        walks([y])
        y.numpy()

    resolution = (x + v).node.resolution
    assert resolution is not None
    op = resolution.op
    held = [
        None,
        True,
        (),
        x,
        v,
        x.node,
        x.node.type,
        resolution,
        resolution.type,
        op,
    ]  # the first three are everywhere
    with st.config.override(tier="interpret"):  # no compiling thread holds anything meanwhile
        for _ in range(5):
            once()
        gc.collect()
        before, blocks = [sys.getrefcount(thing) for thing in held], sys.getallocatedblocks()
        for _ in range(40):
            once()
        gc.collect()
    after = [sys.getrefcount(thing) for thing in held]
    assert all(abs(a - b) <= 40 for a, b in zip(after[:3], before[:3], strict=True))
    assert after[3:] == before[3:]
    assert sys.getallocatedblocks() - blocks < 3000


def test_errors_are_the_same() -> None:
    x = st.asarray(np.ones((2, 3), np.float32))
    wrong: list[Callable[[], Any]] = [
        lambda: x + st.ones((4, 5)),
        lambda: x @ x,
        lambda: st.reshape(x, (4, 4)),
        lambda: x + "text",
        lambda: [1, 2, 3] @ x,
        lambda: st.asarray(np.ones(3, np.uint8)) + 300,
        lambda: x.__add__(),
        lambda: st.Tensor.__add__(3, x),
    ]
    texts = []
    for use in WAYS:
        use()
        texts.append([])
        for call in wrong:
            with pytest.raises(Exception) as caught:
                call()
            texts[-1].append((type(caught.value), str(caught.value)))
    assert texts[0][:-2] == texts[1][:-2]
    assert [kind for kind, _ in texts[0]] == [kind for kind, _ in texts[1]]


def test_operators_give_way() -> None:
    """What another class knows how to do is left to it."""

    class Other:
        def __radd__(self, other: Any) -> str:
            return "mine"

        def __add__(self, other: Any) -> str:
            return "mine"

    class Own(st.Tensor):
        __slots__ = ()

    x = st.asarray(np.ones(2, np.float32))
    for use in WAYS:
        use()
        assert x + Other() == "mine" and Other() + x == "mine"
        assert (Own(x.node) + x).tolist() == [2.0, 2.0] and (x + Own(x.node)).tolist() == [2.0, 2.0]
        assert (np.float32(2) * x).tolist() == [2.0, 2.0]
        assert x.__add__(1).tolist() == [2.0, 2.0]


def test_gradients_and_layers_are_noted_in_each_thread() -> None:
    recorder.use_native()
    x, v = st.asarray(np.ones(3, np.float32)), st.Variable(np.ones(3, np.float32))
    wrong: list[str] = []

    def work(is_tracked: bool) -> None:
        for _ in range(300):
            if is_tracked:
                y = v + x
            else:
                with st.no_grad():
                    y = v + x
            if y.node.is_tracked is not is_tracked:
                wrong.append(threading.current_thread().name)

    side_by_side(work, [n % 2 == 0 for n in range(8)])
    assert not wrong


def test_programs_change_over_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    from septet.graph import op

    recorder.use_python()
    monkeypatch.setattr(tiers, "_clock", 0)
    x = st.asarray(np.ones(64, np.float32))
    with st.config.override(tier="auto"):
        for n in range(tiers.MANY + 1):
            (st.tanh(x + n) * x - x).numpy()
        for _ in range(200):
            if op._record is not None:
                break
            threading.Event().wait(0.05)
    assert op._record is not None


def trees(count: int) -> list[bytes]:
    """Compute a loss and gradients of random trees, another graph each time, until all units run natively."""
    rng = random.Random(5)
    start = np.random.default_rng(5)
    table = st.Variable(start.standard_normal((10, 4)).astype(np.float32))
    weight = st.Variable(start.standard_normal((8, 4)).astype(np.float32))
    bias = st.Variable(np.zeros(4, np.float32))

    def tree(size: int) -> st.Tensor:
        if size == 1:
            leaf = rng.randrange(10)
            return table[leaf : leaf + 1]
        left = rng.randrange(1, size)
        return st.tanh(st.concatenate((tree(left), tree(size - left)), axis=1) @ weight + bias)

    found = []
    for _ in range(count):
        loss = (tree(rng.randrange(3, 9)) ** 2).sum()
        loss.backward()
        for variable in (table, weight, bias):
            assert variable.grad is not None
            variable.assign(variable - 0.05 * variable.grad)
            variable.zero_grad()
        found.append(np.concatenate([v.numpy().ravel() for v in (loss, table, weight, bias)]).tobytes())
    return found


@pytest.fixture
def units_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no graph be compiled as a whole because it comes again."""
    monkeypatch.setattr(tiers, "RECENT", 0)


def losses(seed: int) -> tuple[st.Tensor, list[st.Variable]]:
    """Record a random program with slices, sums of several uses, broadcasts, and inputs that share a cotangent."""
    rng = random.Random(seed)
    table = st.Variable(np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4))
    weight = st.Variable(np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4))
    bias = st.Variable(np.full(4, 0.25, np.float32))
    made: list[st.Tensor] = [table[1:2], table[3:4]]
    steps: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a + b,
        lambda a, b: a + a,
        lambda a, b: a * a,
        lambda a, b: a - b + bias,
        lambda a, b: st.tanh(a @ weight + bias),
        lambda a, b: st.concatenate((a, b), axis=1)[:, 2:6] if a is not b else st.exp(-a * a),
        lambda a, b: st.reshape(a, (2, 2)).T.reshape((1, 4)) * 0.5,
        lambda a, b: st.where(a > 0, a, b),
        lambda a, b: a**2 * bias + b,
        lambda a, b: table[(n := rng.randrange(5)) : n + 1] * b,
        lambda a, b: st.concatenate((a, b, a), axis=0).sum(axis=0, keepdims=True),
    ]
    for _ in range(rng.randrange(8, 40)):
        a, b = rng.choice(made[-6:]), rng.choice(made[-6:])
        made.append(st.tanh(rng.choice(steps)(a, b)))
    return (made[-1] + made[-2]).sum(), [table, weight, bias]


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_noted_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def noted(*args: Any) -> Pullback:
        found.append(args)
        return Pullback(*args)

    monkeypatch.setattr(pullback, "Pullback", noted)
    recorder.use_python()
    loss, variables = losses(seed)
    for use in WAYS:
        use()
        loss.backward()
        for variable in variables:
            variable.zero_grad()
    one, other = found
    assert one[:-1] == other[:-1] and len(one[2]) > 8
    assert [type(part) for row in one[2] for part in row] == [type(part) for row in other[2] for part in row]


@pytest.mark.parametrize("seed", range(8))
def test_tracked_nodes_are_found_in_the_same_order(seed: int) -> None:
    recorder.use_python()
    loss, _ = losses(seed)
    found = []
    for use in WAYS:
        use()
        found.append([node.serial for node in _tracked(loss.node)])
    assert found[0] == found[1] and len(found[0]) > 8


def gradients(seed: int) -> list[bytes]:
    loss, variables = losses(seed)
    loss.backward()
    found = [loss.numpy().tobytes()]
    for variable in variables:
        found.append(b"" if variable.grad is None else variable.grad.numpy().tobytes())
        variable.zero_grad()
    return found


@pytest.mark.usefixtures("units_only")
def test_rows_are_pulled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """By native functions: most rows, in every kind of program, with the same calls on the list."""
    recorder.use_python()
    lists: list[tuple[Any, ...]] = []
    run = Calls.run

    def listed(self: Calls) -> bool:
        idle = {size: len(blocks) for size, blocks in self.free.items() if blocks}
        lists.append((len(self.list), idle, self.arena))
        return run(self)

    with st.config.override(tier="interpret"):
        right = [gradients(seed) for seed in range(12)]
    with st.config.override(tier="auto"):
        for _ in range(12):
            for seed in range(12):
                gradients(seed)
        monkeypatch.setattr(Calls, "run", listed)
        before = [gradients(seed) for seed in range(12)]
        for one, other in zip(before, right, strict=True):
            for part, own in zip(one, other, strict=True):
                np.testing.assert_allclose(
                    np.frombuffer(part, np.float32), np.frombuffer(own, np.float32), rtol=1e-3, atol=1e-6
                )
        lists, expected = [], lists
        recorder.use_native()
        quick, rows = NativePull.quick, [0, 0]

        def counted(pull: NativePull, start: int) -> int:
            end: int = quick(pull, start)
            rows[0] += start - end
            rows[1] += end >= 0
            return end

        monkeypatch.setattr(NativePull, "quick", counted)
        assert [gradients(seed) for seed in range(12)] == before
    assert rows[0] > 5 * rows[1] and rows[0] > 200
    assert [own for own in lists if own[0]] == [own for own in expected if own[0]] and len(expected) >= 12


@pytest.mark.usefixtures("units_only")
def test_references_of_units_are_balanced() -> None:
    """Nothing that an evaluation touches is held once more, or once less, than before."""
    recorder.use_native()
    with st.config.override(tier="auto"):
        for _ in range(14):
            for seed in range(6):
                gradients(seed)
            trees(4)
        calls = native_calls()
        held = [0, 1, 2, *calls._chunks, *units.sums.values(), *[unit.piece for unit in units.sums.values()]]
        gc.collect()
        before, blocks = [sys.getrefcount(thing) for thing in held], sys.getallocatedblocks()
        for _ in range(20):
            for seed in range(6):
                gradients(seed)
            trees(4)
        gc.collect()
    after = [sys.getrefcount(thing) for thing in held]
    assert all(abs(a - b) <= 200 for a, b in zip(after[:3], before[:3], strict=True))
    assert after[3:] == before[3:]
    assert sys.getallocatedblocks() - blocks < 3000


@pytest.mark.usefixtures("units_only")
def test_what_is_not_compiled_yet_is_left_to_python() -> None:
    """A backward pass with a unit or a sum that has no piece starts again in Python, and nothing of it stays."""
    recorder.use_python()
    with st.config.override(tier="auto"):
        for _ in range(14):
            gradients(3)
        expected = gradients(3)
        recorder.use_native()
        pieces = [(unit, unit.piece) for unit in units.sums.values()]
        try:
            for unit, _ in pieces:
                unit.piece = None
                unit.stays_interpreted()
            found = gradients(3)
        finally:
            for unit, piece in pieces:
                unit.piece = piece
        assert gradients(3) == expected
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.frombuffer(one, np.float32), np.frombuffer(other, np.float32), rtol=1e-4)


def test_hooks_and_errors_of_backward_are_the_same() -> None:
    found: list[Any] = []
    for use in WAYS:
        use()
        v = st.Variable(np.ones(3, np.float32))
        y = st.tanh(v) * v
        seen: list[Any] = []
        y.register_hook(lambda g, seen=seen: seen.append(g.tolist()))
        (st.exp(y) * y).sum().backward()
        assert v.grad is not None
        found.append([seen, v.grad.tolist()])
        many = st.concatenate([v * n for n in range(70)]).sum()  # more inputs than a native function takes
        v.zero_grad()
        many.backward()
        found[-1].append(v.grad.tolist())
        old = v * 2
        v.assign(v + 1)
        with pytest.raises(SeptetError) as caught:
            st.tanh(st.Variable(np.ones(2, np.float32)) + old).sum().backward()
        found[-1].append(str(caught.value).splitlines()[0])
    assert found[0] == found[1]


@pytest.mark.usefixtures("units_only")
def test_threads_take_turns_in_backward_passes() -> None:
    recorder.use_native()
    with st.config.override(tier="auto"):
        expected = {seed: gradients(seed) for seed in range(4) for _ in range(14)}
        wrong: list[Any] = []

        def work(seed: int) -> None:
            with st.config.override(tier="auto"):
                for _ in range(15):
                    if gradients(seed) != expected[seed]:
                        wrong.append(seed)

        side_by_side(work, range(4))
    assert not wrong


def test_units_are_called_alike() -> None:
    recorder.use_python()
    with st.config.override(tier="auto"):
        trees(60)  # compiles the units
        before = trees(40)
        recorder.use_native()
        calls: list[int] = []
        quick = Evaluation.quick

        def counted(own: Any, nodes: Any, start: int) -> int:
            end: int = quick(own, nodes, start)
            calls.append(end - start)
            return end

        Evaluation.quick = counted
        try:
            assert trees(40) == before
        finally:
            Evaluation.quick = quick
    assert sum(calls) > 40 * 8
