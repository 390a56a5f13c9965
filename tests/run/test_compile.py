"""`compile`: what it traces again for, what it says about that, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, CallError
from septet.graph.context import changes
from septet.run.plans import Plan, Plans
from septet.tensor.trace import Note

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def reasons(compiled):
    return [each.reason for each in compiled.compiles]


class TestNames:
    def test_symbols_are_named_after_parameters(self):
        seen = []

        @st.compile
        def step(x, batch, *rest, scale=1, **more):
            tensors = (x, batch["images"], batch["pair"][1], *rest, more["last"])
            seen.extend(tensor.node.params[0] for tensor in tensors)
            return sum(tensor.sum() for tensor in tensors) * scale

        batch = {"pair": (1, X), "images": X}
        assert float(step(X, batch, X, X, last=X)) == 6 * X.sum()
        assert seen == ["x", "batch['images']", "batch['pair'][1]", "*rest[0]", "*rest[1]", "last"]
        (found,) = step.compiles
        assert found.arguments == (
            "x: float32[2, 3], batch['images']: float32[2, 3], batch['pair'][0]: 1, batch['pair'][1]: float32[2, 3], "
            "*rest[0]: float32[2, 3], *rest[1]: float32[2, 3], last: float32[2, 3]"
        )

    def test_a_method_and_a_module(self):
        class Box:
            @st.compile
            def double(self, value):
                return value * 2

        box = Box()
        box.double(X)
        assert "value: float32[2, 3]" in Box.double.compiles[0].arguments
        model = nn.Dense(4)
        compiled = st.compile(model)
        compiled(X)
        assert compiled.compiles[0].arguments == "x: float32[2, 3]"

    def test_a_function_without_a_signature(self):
        compiled = st.compile(max)
        assert compiled(3, 2) == 3
        assert compiled.compiles[0].arguments == "argument 0: 3, argument 1: 2"


class TestResults:
    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_a_result_does_not_share_memory_with_an_argument(self, backend):
        with st.config.override(backend=backend):
            f = st.compile(lambda x: (x, x[0], {"t": x.T, "n": 3, "none": None}))
            own = X.copy()
            same, row, rest = f(own)
            own[:] = 7
            np.testing.assert_array_equal(same.numpy(), X)
            np.testing.assert_array_equal(row.numpy(), X[0])
            np.testing.assert_array_equal(rest["t"].numpy(), X.T)
            assert rest["n"] == 3
            assert rest["none"] is None

    @pytest.mark.parametrize(
        "make", [lambda x: x, lambda x: (x,), lambda x: [x, x], lambda x: None, lambda x: (1, x), lambda x: ()],
    )  # fmt: skip
    def test_the_structure_of_results(self, make):
        f = st.compile(make)
        for _ in range(2):
            found, expected = f(X), make(st.tensor(X))
            assert type(found) is type(expected)
            if isinstance(expected, (list, tuple)):
                assert [type(value) for value in found] == [type(value) for value in expected]


class TestReasons:
    def test_shapes_dtypes_and_static_values(self):
        @st.compile
        def f(images, flag=True, *, scale=1):
            return images * scale if flag else images

        for args, words in (
            ((X,), {}), ((X[:1],), {}), ((X[:1].astype(np.float64),), {}), ((X, True), {}), ((X, False), {}),
            ((X,), {"scale": 2}), ((X,), {"scale": 2.0}), ((X,), {}),
        ):  # fmt: skip
            f(*args, **words)
        assert reasons(f) == [
            "first call",
            "images: float32[2, 3] -> float32[1, 3]",
            "images: float32[1, 3] -> float64[1, 3]",
            "flag: True is new",
            "flag: True -> False",
            "scale: 2 is new",
            "scale: 2 -> 2.0",
        ]

    def test_equal_values_of_other_classes(self):
        f = st.compile(lambda x, n: x * n)
        assert f(X, 1).dtype == f(X, True).dtype == np.float32
        assert reasons(f)[1] == "n: 1 -> True"

    @pytest.mark.parametrize(
        "values", [(0.0, -0.0), (1, 1.0, True), ((1, 0.0), (1, -0.0), (True, 0.0))], ids=["zeros", "ones", "tuples"]
    )
    def test_static_arguments_are_told_apart_to_the_bit(self, values):
        calls = []

        @st.compile
        def f(x, static):
            calls.append(repr(static))
            number = static[1] if isinstance(static, tuple) else static
            return st.pad(x, 1, value=number)

        x = st.ones(2)
        for _ in range(2):
            for value in values:
                number = value[1] if isinstance(value, tuple) else value
                assert np.signbit(f(x, value).numpy()[0]) == np.signbit(number)
        assert calls == [repr(value) for value in values]

    def test_values_that_are_written_alike(self):
        class Mode:
            def __repr__(self):
                return "<mode>"

        f = st.compile(lambda x, mode: x)
        f(X, Mode())
        f(X, Mode())
        assert reasons(f)[1] == "mode: another Mode"

    def test_variables_are_told_apart_by_identity(self):
        f = st.compile(lambda variable, x: variable * x)
        v, w = (st.Variable(np.full(3, value, np.float32), "w") for value in (2, 3))
        for variable in (v, w, v):
            np.testing.assert_array_equal(f(variable, X), variable.numpy() * X)
        assert f.compiles[0].arguments == "variable: variable 'w', float32[3], x: float32[2, 3]"
        assert reasons(f) == ["first call", "variable: another Variable"]

    def test_the_nearest_call_is_named(self):
        f = st.compile(lambda a, b: a.sum() + b.sum())
        f(X, X)
        f(X[:1], X[:1])
        f(X[:1], X)
        assert reasons(f)[2] == "b: float32[1, 3] -> float32[2, 3]"

    def test_structure(self):
        f = st.compile(lambda x: x[0].sum())
        f([X])
        f((X,))
        f([X, X])
        assert reasons(f)[1] == "arguments of another structure: (([*],), {}) -> (((*,),), {})"
        assert reasons(f)[2] == "x[1]: float32[2, 3] is new"

    def test_surroundings(self):
        f = st.compile(lambda x: x + st.zeros(3))
        assert f(X).dtype == np.float32
        with st.no_grad():
            f(X)
        with st.config.override(default_float="float64"):
            assert f(X).dtype == np.float64
        f(X)
        w = st.Variable(1.0, "w")
        f(st.tensor(X) * w)
        assert reasons(f) == [
            "first call",
            "gradients: on -> off",
            "setting default_float: float32 -> float64",
            "x: without gradient -> with gradient",
        ]


class TestModules:
    """What a trace has read of a module is compared at each call."""

    def test_evaluation_turns_dropout_off(self):
        model = nn.Sequential(nn.Dense(4), nn.Dropout(0.5), nn.Sequential(nn.Dense(50), nn.Dropout(0.5)))
        model.build_for(X)
        f = st.compile(lambda x: model(x))
        assert not np.array_equal(f(X).numpy(), f(X).numpy())
        model.eval()
        expected = model(X).numpy()
        for _ in range(2):
            np.testing.assert_allclose(f(X).numpy(), expected, rtol=1e-6)
        model.train()
        assert not np.array_equal(f(X).numpy(), f(X).numpy())
        assert reasons(f) == ["first call", "Sequential: training -> evaluation"]
        getattr(model, "1").eval()
        f(X)
        assert reasons(f)[2] == "Sequential/1:Dropout: training -> evaluation"

    def test_batch_norm_and_its_updates(self):
        model = nn.BatchNorm()
        f = st.compile(lambda x: model(x))
        f(X)
        moved = model.mean.numpy()
        assert moved.any()
        model.eval()
        result = f(X)
        np.testing.assert_array_equal(model.mean.numpy(), moved)
        np.testing.assert_allclose(result.numpy(), model(X).numpy(), rtol=1e-6)

    def test_a_mode_that_nothing_has_read_does_not_count(self):
        model = nn.Dense(4)
        f = st.compile(lambda x: model(x))
        f(X)
        model.eval()
        f(X)
        assert len(f.compiles) == 1

    def test_a_function_that_sets_the_mode_itself(self):
        model = nn.Dropout(0.5)

        @st.compile
        def f(x):
            model.eval()
            return model(x)

        for _ in range(3):
            np.testing.assert_array_equal(f(X).numpy(), X)
            model.train()
        model.eval()
        f(X)
        assert len(f.compiles) == 1

    def test_a_function_that_reads_the_mode_and_sets_it_for_a_while(self):
        model = nn.Dropout(0.5)

        @st.compile
        def f(x):
            before = model.is_training
            model.eval()
            plain = model(x)
            model.is_training = before
            return plain, model(x)

        plain, dropped = f(X)
        np.testing.assert_array_equal(plain.numpy(), X)
        assert not np.array_equal(dropped.numpy(), X)
        model.eval()
        np.testing.assert_array_equal(f(X)[1].numpy(), X)

    def test_a_user_s_own_branch(self):
        class Noisy(nn.Module):
            def forward(self, x):
                return x * 2 if self.is_training else x

        model = Noisy()
        f = st.compile(lambda x: st.cond(x.sum() > 0, lambda: model(x), lambda: x))
        np.testing.assert_array_equal(f(X).numpy(), 2 * X)
        model.eval()
        np.testing.assert_array_equal(f(X).numpy(), X)
        assert reasons(f)[1] == "Noisy: training -> evaluation"

    def test_configuration_and_parts(self):
        model = nn.Sequential(nn.Dense(4), nn.Dropout(0.5))
        f = st.compile(lambda x: model(x))
        f(X)
        getattr(model, "1").rate = 0.0
        np.testing.assert_allclose(f(X).numpy(), model(X).numpy(), rtol=1e-6)
        model.append(nn.ReLU())
        assert f(X).numpy().min() >= 0
        setattr(model, "0", nn.Dense(5))
        assert f(X).shape == (2, 5)
        getattr(model, "0").kernel = st.Variable(np.zeros((3, 5), np.float32), "kernel")
        assert not f(X).numpy().any()
        assert reasons(f) == [
            "first call",
            "Sequential/1:Dropout.rate: 0.5 -> 0.0",
            "Sequential.2: none -> ReLU",
            "Sequential.0: another Dense",
            "Sequential/0:Dense.kernel: another Variable",
        ]

    def test_bookkeeping_does_not_count(self):
        class Counting(nn.Module):
            def forward(self, x):
                self.last = x
                return x + 1

        model = Counting()
        f = st.compile(lambda x: model(x))
        for step in range(3):
            f(X)
            model.steps = step
        assert len(f.compiles) == 1

    def test_a_model_that_is_built_in_the_trace_is_traced_once(self):
        model = nn.Sequential(nn.Conv2D(2, 3), nn.BatchNorm(), nn.Flatten(), nn.Dense(3))
        f = st.compile(lambda x: model(x))
        for _ in range(3):
            f(np.ones((2, 1, 5, 5), np.float32))
        assert len(f.compiles) == 1

    def test_which_variables_are_trainable(self):
        w, b = st.Variable([1.0, 2.0], "w"), st.Variable(0.0, "b")

        @st.compile
        def step(x):
            (w * x + b).sum().backward()
            for variable in (w, b):
                if variable.grad is not None:
                    variable.assign(variable - variable.grad)
                    variable.zero_grad()

        step(np.array([1.0, 1.0], np.float32))
        assert w.numpy().tolist() == [0.0, 1.0]
        assert float(b) == -2.0
        w.trainable = False
        step(np.array([1.0, 1.0], np.float32))
        assert w.numpy().tolist() == [0.0, 1.0]
        assert float(b) == -4.0
        w.trainable = True
        step(np.array([1.0, 1.0], np.float32))
        assert w.numpy().tolist() == [-1.0, 0.0]
        assert reasons(step) == ["first call", "variable 'w': trainable -> fixed"]


class TestCost:
    def test_notes_are_compared_only_after_a_change(self, monkeypatch):
        model = nn.Sequential(*[nn.Dropout(0.5) for _ in range(20)])
        f = st.compile(lambda x: model(x))
        f(X)
        f(X)
        calls = []
        monkeypatch.setattr(Note, "holds", lambda self: calls.append(self) or True)
        for _ in range(5):
            f(X)
        assert not calls
        changes.stamp = object()
        f(X)
        found = len(calls)
        f(X)
        assert found >= 20
        assert len(calls) == found

    def test_a_change_while_notes_are_compared_is_not_missed(self, monkeypatch):
        model = nn.Dropout(0.5)
        f = st.compile(lambda x: model(x))
        f(X)
        changes.stamp = object()
        holds = Note.holds

        def meanwhile(self):
            result = holds(self)
            monkeypatch.setattr(Note, "holds", holds)
            model.eval()  # as another thread would
            return result

        monkeypatch.setattr(Note, "holds", meanwhile)
        f(X)
        np.testing.assert_array_equal(f(X).numpy(), X)

    def test_a_plan_that_still_holds_is_found_without_tracing(self):
        calls = []

        @st.compile
        def f(*args, **words):
            calls.append(args)
            return args[0] * 1

        pending = st.tensor(X) + 0
        for x in (X, st.tensor(X), pending, np.asfortranarray(X), X.astype(">f4"), X.view(np.recarray)):
            np.testing.assert_array_equal(f(x).numpy(), X)
        assert len(calls) == 1
        for x in (np.float32(3), st.tensor(3.0), np.array(3, np.float32)):
            assert float(f(x)) == 3
        assert len(calls) == 2
        for words in ({"a": X, "b": 1}, {"b": 1, "a": st.tensor(X)}, {"b": 1, "a": X.view(np.recarray)}):
            f(X, **words)
        f(X, a=1, b=X)
        assert len(calls) == 4

    def test_few_plans_are_kept_for_a_key(self):
        layer = nn.Dropout(0.5)
        f = st.compile(lambda x: layer(x))
        for rate in range(2 * Plans.MOST):
            layer.rate = rate / 100
            f(X)
        assert len(f.compiles) == 2 * Plans.MOST
        (plans,) = f._plans._plans.values()
        assert len(plans) == Plans.MOST
        assert all(isinstance(plan, Plan) for plan in plans)


class TestErrors:
    @pytest.mark.parametrize(
        ("args", "words", "text"),
        [
            ((), {}, "f: missing a required argument: 'x'; it takes (x, flag=..., *rest, scale, **more)"),
            ((X,), {}, "f: missing a required argument: 'scale'"),
            ((X,), {"x": X, "scale": 1}, "f: multiple values for argument 'x'"),
        ],
    )
    def test_arguments_that_the_function_does_not_take(self, args, words, text):
        @st.compile
        def f(x, flag=True, *rest, scale, **more):
            return x

        with pytest.raises(CallError) as caught:
            f(*args, **words)
        assert str(caught.value).startswith(text)
        assert "test_compile.py" in str(caught.value)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ArgumentError)
        assert not f.compiles

    def test_a_static_argument_is_hashable(self):
        f = st.compile(lambda x, options: x)
        with pytest.raises(ArgumentError, match=r"options\[0\] is a set, which is neither a tensor nor hashable"):
            f(X, [{1}])

    def test_a_failed_trace_leaves_no_plan(self):
        f = st.compile(lambda x: x @ x)
        for _ in range(2):
            with pytest.raises(st.errors.ShapeError, match="matmul: the last axis of a, of size 3"):
                f(X)
        assert not f.compiles
        assert f(X[:, :2]).shape == (2, 2)


class TestWhatComesFromOutside:
    def test_repeated_numbers_stay_numbers(self):
        """An array would have to be read."""
        f = st.compile(lambda x: x * -st.full((2, 3), 2.5))
        np.testing.assert_array_equal(f(X), X * -2.5)
        graph = f.target(X).graph
        assert "broadcast_to" in [node.op.name for node in graph.nodes]
        assert max(node.type.size for node in graph.nodes if node.op.name == "constant") == 1

    def test_arrays_are_computed_once(self):
        weights = st.tensor(X)
        f = st.compile(lambda x: x * (weights + 1))
        np.testing.assert_array_equal(f(X), X * (X + 1))
        graph = f.target(X).graph
        assert [node.op.name for node in graph.nodes if node.op.name not in ("constant", "symbol")] == ["multiply"]
