"""Plans that are adapted to other sizes: the same results, bit for bit, as plans made for these."""

import numpy as np
import pytest

import septet as st
from septet import nn

F = 6
"""Features."""
WEIGHT = np.random.default_rng(1).normal(size=(F, F)).astype(np.float32)


def rows(size, *more, seed=0):
    return np.random.default_rng(seed + size).normal(size=(size, *(more or (F,)))).astype(np.float32)


def labels(size):
    return np.random.default_rng(size).integers(0, F, size).astype(np.int32)


def attention(x):
    """(B, 64, 8)"""
    q, k = x[:, :, :4], x[:, :, 4:]
    return st.softmax(q @ k.transpose((0, 2, 1)), axis=-1) @ x


def time_steps(x):
    """(B, T, F)"""
    xs = x.transpose((1, 0, 2))

    def cell(h, row):
        h = st.tanh(row + h @ WEIGHT)
        return h, h * 2

    return st.scan(cell, st.zeros((x.shape[0], F)), xs)


def batch_steps(x):
    def cell(total, row):
        return total + row, (total * row).sum()

    return st.scan(cell, st.zeros((F,)), x)


def normalized(x):
    mean, variance = st.moments(x, axis=0)
    return (x - mean) / st.sqrt(variance + 1e-5), x.mean(), x.var(axis=0, correction=1)


def in_place(x):
    y = x + 0
    y[0] = 1.0
    y[-1] += y[1]
    y[:, 2] = 0.5
    return y


def image_model(x):
    """(B, 3, 8, 8)"""
    kernel = st.asarray(np.random.default_rng(2).normal(size=(16, 3, 3, 3)).astype(np.float32))
    h = st.max_pool(st.relu(st.conv(x, kernel, padding=1)), window=2)
    h = st.conv(h, st.asarray(np.random.default_rng(3).normal(size=(16, 16, 3, 3)).astype(np.float32)))
    return h.reshape((h.shape[0], -1)).mean(axis=1), h.sum(axis=(0, 2, 3))


def image_gradients(x):
    kernel = st.asarray(np.random.default_rng(2).normal(size=(16, 3, 3, 3)).astype(np.float32))
    return st.grad(lambda x, k: (st.max_pool(st.conv(x, k), window=2) ** 2).sum(), argnums=(0, 1))(x, kernel)


def loss_gradients(x, y):
    return st.value_and_grad(lambda w: nn.losses.cross_entropy(x @ w, y))(st.asarray(WEIGHT))


def chosen(x):
    return st.cond(x[0, 0] > 0, lambda v: v * 2, lambda v: v - 1, x)


def repeated(x):
    return st.while_loop(lambda v: (v**2).sum() < 100, lambda v: v * 2, x)


PROGRAMS = {
    "elementwise": (lambda x: st.tanh(x) * 2 + x**2, rows),
    "features": (lambda x: x * np.arange(F, dtype=np.float32) + x.sum(axis=1, keepdims=True), rows),
    "products": (lambda x: (x @ WEIGHT, x.T @ x, x @ x.T), rows),
    "totals": (lambda x: (x.sum(), x.mean(axis=0), x.max(axis=0), x.argmax(axis=0), x.prod(axis=1)), rows),
    "softmax": (lambda x: (st.softmax(x), st.softmax(x, axis=0), st.logsumexp(x, axis=0)), rows),
    "normalized": (normalized, rows),
    "divided by the size": (lambda x: (x.sum(axis=0) / x.shape[0], x / (x.shape[0] - 1), x * x.shape[0]), rows),
    "shapes": (
        lambda x: (x.reshape((-1,)), x.reshape((x.shape[0], 2, 3)), x.reshape((2, -1)), x.T.reshape((-1, 3))), rows),
    "slices": (lambda x: (x[1:], x[:-1], x[::-1], x[::2, 1:3], x[: x.shape[0] // 2], x[-1]), rows),
    "joined": (lambda x: (st.concatenate((x, x * 2, st.ones((2, F)))), st.stack((x, -x), axis=1)), rows),
    "padded": (lambda x: (st.pad(x, ((1, 2), (0, 1))), st.roll(x, 1, axis=0), st.flip(x, axis=0)), rows),
    "counted": (
        lambda x: (st.arange(x.shape[0]), st.zeros(x.shape) + x, st.eye(x.shape[0]), st.ones((x.shape[0],))), rows),
    "cumulative": (lambda x: (st.cumulative_sum(x, axis=0), st.cumulative_sum(x, axis=1)), rows),
    "sorted": (lambda x: (st.sort(x, axis=0), st.argsort(x, axis=1)), rows),
    "taken": (lambda x, y: (st.take(st.asarray(WEIGHT), y, axis=0) + x, st.one_hot(y, F)), (rows, labels)),
    "loss": (loss_gradients, (rows, labels)),
    "random": (lambda x: x + st.random.normal(x.shape) * st.random.bernoulli(0.5, x.shape), rows),
    "in place": (in_place, rows),
    "branches": (chosen, rows),
    "loop": (repeated, rows),
    "steps of time": (time_steps, lambda size: rows(size, 5, F)),
    "gradients of steps": (
        lambda x: st.grad(lambda v: time_steps(v)[1].sum())(x), lambda size: rows(size, 5, F)),
    "steps over the batch": (batch_steps, rows),
    "attention": (attention, lambda size: rows(size, 64, 8)),
    "gradients of attention": (
        lambda x: st.grad(lambda v: (attention(v) ** 2).sum())(x), lambda size: rows(size, 64, 8)),
    "images": (image_model, lambda size: rows(size, 3, 8, 8)),
    "gradients of images": (image_gradients, lambda size: rows(size, 3, 8, 8)),
}  # fmt: skip


def arrays_of(make, size):
    return [own(size) for own in (make if isinstance(make, tuple) else (make,))]


def leaves(result):
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in leaves(part)]
    return [np.asarray(result)]


def run(function, arrays):
    st.random.seed(0)
    return leaves(function(*arrays))


def same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def how(function):
    return [entry.how for entry in function.compiles]


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_those_of_a_plan_of_its_own(name):
    call, make = PROGRAMS[name]
    many = st.compile(call)
    for size in (F, 4, 11, 40, 2, 4):
        arrays = arrays_of(make, size)
        same(run(many, arrays), run(st.compile(call), arrays))


@pytest.mark.parametrize(
    "name", ["elementwise", "products", "normalized", "loss", "steps of time", "attention", "images"]
)
def test_most_are_adapted(name):
    call, make = PROGRAMS[name]
    function = st.compile(call)
    for size in (40, 39, 38):
        function(*arrays_of(make, size))
    assert how(function)[-1] == "adapted"


def test_several_axes():
    """The second call opens what differs; from then on both may be others."""
    function = st.compile(time_steps)
    for shape in ((20, 9, F), (18, 12, F), (17, 10, F)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        same(run(function, [x]), run(st.compile(time_steps), [x]))
    assert how(function)[-1] == "adapted"


def test_symbolic_functions():
    x, t = st.symbol("x", (None, None, F)), st.symbol("t", (None, F))

    def call(x, t):
        h = st.tanh(x @ WEIGHT) / x.shape[1] + t
        return st.softmax(h.mean(axis=0)), h.reshape((-1, F)), h[1:, :-1].sum()

    function = st.function([x, t], call(x, t))
    for batch, time in ((8, 5), (3, 5), (20, 30), (7, 2), (8, 1), (2, 9)):
        arrays = [rows(batch, time, F), rows(time)]
        same(run(function, arrays), run(st.function([x, t], call(x, t)), arrays))
    assert "adapted" in how(function) and how(function)[0] == ""


def test_sizes_that_are_equal_by_chance():
    """Batch and features have one size in the first call, and the mask is a constant as large as the batch."""
    mask = np.arange(F) % 2 == 0

    def call(x, w):
        h = x @ w + x.sum(axis=1, keepdims=True) * np.ones(F, np.float32)
        return st.where(mask, h, 0.0) + st.zeros((F,)), h.T.reshape((-1,)), st.ones((x.shape[0], F)) * x

    function = st.compile(call)
    for size in (F, 4, 9, F, 3):
        arrays = [rows(size), WEIGHT]
        same(run(function, arrays), run(st.compile(call), arrays))


def test_values_of_an_adapted_plan_are_checked():
    function = st.compile(PROGRAMS["taken"][0])
    for size in (20, 17):
        function(rows(size), labels(size))
    x, y = rows(13), labels(13).copy()
    y[12] = F
    with pytest.raises(st.errors.IndexOutOfRangeError, match=str(F)):
        function(x, y)
    same(run(function, [rows(13), labels(13)]), run(st.compile(PROGRAMS["taken"][0]), [rows(13), labels(13)]))
    assert how(function)[-2:] == ["adapted", "adapted"]


def test_variables_are_written_over():
    def trained(sizes, is_fresh):
        weight = st.Variable(WEIGHT)
        optimizer = st.optim.Adam([weight], learning_rate=0.1)

        def step(x, y):
            loss = nn.losses.cross_entropy(x @ weight, y)
            loss.backward()
            optimizer.step()
            return loss

        function = st.compile(step)
        losses = []
        for size in sizes:
            function = st.compile(step) if is_fresh else function
            losses += run(function, [rows(size), labels(size)])
        return [*losses, np.asarray(weight)], function

    sizes = (32, 32, 30, 32, 30, 29, 30)
    found, function = trained(sizes, is_fresh=False)
    same(found, trained(sizes, is_fresh=True)[0])
    assert how(function) == ["", "adapted", "adapted"]


def test_what_is_shown_of_an_adapted_plan_is_about_its_sizes():
    function = st.compile(PROGRAMS["products"][0])
    function(rows(39))
    function(rows(37))
    assert how(function)[-1] == "adapted"
    works = function.target(rows(37)).program.describe([rows(37)]).works
    sizes = {size for work in works for size in work.domain}
    assert 37 in sizes and 39 not in sizes
    described = function.target(rows(39)).program.describe([rows(39)])
    numbers = [size for work in described.works for size in work.domain] + [piece.size for piece in described.pieces]
    assert 39 in numbers and {type(number) for number in numbers} == {int}
    with st.check(nan=True):
        same(run(function, [rows(37)]), run(st.compile(PROGRAMS["products"][0]), [rows(37)]))
    assert how(function)[-1] == "adapted"


def test_why_there_is_another_plan(monkeypatch):
    def call(x):
        return x * 2 if x.shape[0] > 4 else x + 1

    function = st.compile(call)
    for size in (8, 6, 3):
        same(run(function, [rows(size)]), run(st.compile(call), [rows(size)]))
    assert how(function) == ["", "adapted", "planned anew: another graph"]
    assert "adapted" in str(function.compiles)
    monkeypatch.setattr("septet.backends.cpu.families.thread_count", lambda: 1)
    function(rows(5))
    assert how(function)[-1] == "planned anew: other settings"


MOVES = [
    lambda h: st.tanh(h), lambda h: h @ WEIGHT, lambda h: st.softmax(h, axis=0), lambda h: h - h.mean(axis=0),
    lambda h: st.concatenate((h[1:], h[:1])), lambda h: h[::-1], lambda h: h * (1.0 / h.shape[0]),
    lambda h: h.reshape((-1, 2, 3)).transpose((0, 2, 1)).reshape((h.shape[0], F)), lambda h: h.T.reshape((F, -1)).T,
    lambda h: h + st.arange(h.shape[0], dtype="float32").reshape((-1, 1)), lambda h: (h @ h.T) @ h / h.shape[0],
    lambda h: st.pad(h, ((1, 0), (0, 0)))[:-1], lambda h: h + st.random.uniform(h.shape),
    lambda h: st.scan(lambda c, row: (c * 0.5 + row, c), st.zeros((F,)), h)[1], lambda h: st.minimum(h, h.mean()),
    lambda h: h - h.max(axis=1, keepdims=True),
    lambda h: st.one_hot(st.argmax(h, axis=1), F) * h, lambda h: (h[:, None, :] * h[:, :, None]).sum(axis=2),
    lambda h: h * st.ones((h.shape[0], 1)), lambda h: st.broadcast_to(h.mean(axis=0), h.shape) + h,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed):
    """First sizes and others that are anything from 1 up."""
    random = np.random.default_rng(seed)
    moves = [MOVES[number] for number in random.integers(0, len(MOVES), random.integers(2, 6))]

    def through(h):
        for move in moves:
            h = move(h)
        return h

    def call(x):
        return through(x), st.grad(lambda v: (through(v) ** 2).mean())(x)

    many = st.compile(call)
    first = int(random.choice([1, 2, F, 40, 70]))
    for size in (first, *random.choice([1, 2, 5, F, 8, 16, 39, 41, 64, 100, 129], 3).tolist(), first + 1):
        arrays = [rows(size)]
        same(run(many, arrays), run(st.compile(call), arrays))
