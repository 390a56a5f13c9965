"""Plans that take turns in the same memory."""

import gc
import threading

import numpy as np

import septet as st
from septet.backends.cpu.arenas import Arena


def run(x):
    h = st.tanh(x @ x.T)
    return (h @ h).sum(axis=1) + st.sort(h, axis=1)[:, 0]


def expected(x):
    h = np.tanh(x @ x.T)
    return (h @ h).sum(axis=1) + np.sort(h, axis=1)[:, 0]


def plans_of(function):
    return [plan.program.prepare([node.shape for node in plan.graph.inputs]) for plan in all_plans(function)]


def all_plans(function):
    return [plan for group in function._plans._plans.values() for plan in group]


class TestTurns:
    def test_plans_of_one_function_share_memory(self):
        function = st.compile(run)
        rng = np.random.default_rng(0)
        arrays = [rng.normal(size=(n, 3)) for n in (5, 9, 2, 9, 5)]
        for array in arrays:  # the second one needs more than the first
            assert np.allclose(function(array), expected(array))
        plans = plans_of(function)
        assert len(plans) == 3 and len({plan.arena for plan in plans}) == 1
        assert len({int(plan.bases[0]) for plan in plans}) == 1
        other = st.compile(run)
        other(arrays[0])
        assert plans_of(other)[0].arena is not plans[0].arena

    def test_plans_of_a_symbolic_function_do(self):
        x = st.symbol("x", (None, 3), "float64")
        function = st.function(x, run(x))
        rng = np.random.default_rng(0)
        for n in (4, 7, 4):
            array = rng.normal(size=(n, 3))
            assert np.allclose(function(array), expected(array))
        plans = [*function._program.plans.values()]
        assert len(plans) == 2 and plans[0].arena is plans[1].arena

    def test_threads_wait_for_each_other(self):
        function = st.compile(run)
        arrays = [np.random.default_rng(n).normal(size=(n, 3)) for n in (20, 30)]
        wrong = []

        def many(array):
            own = expected(array)
            for _ in range(50):
                if not np.allclose(function(array), own):
                    wrong.append(len(array))

        threads = [threading.Thread(target=many, args=(array,)) for array in arrays]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_a_run_inside_of_a_run_has_memory_of_its_own(self):
        """A callback calls the same function for another, larger size: what is under way must not move."""

        def inside(array):
            return np.float64(function(np.ones((len(array) + 40, 2))).numpy().sum() if len(array) < 40 else 0.0)

        @st.compile
        def function(x):
            h = st.tanh(x)
            h = h @ h.T
            return h + st.callback(inside, ("float64", ()), x) + h @ h

        for _ in range(2):
            x = np.random.default_rng(1).normal(size=(6, 2))
            h = np.tanh(x) @ np.tanh(x).T
            large = np.tanh(np.ones((46, 2))) @ np.tanh(np.ones((2, 46)))
            assert np.allclose(function(x), h + (large + large @ large).sum() + h @ h)


class TestArena:
    def test_grows_and_forgets_who_has_gone(self):
        arena = Arena()
        bases = [np.zeros(2, np.int64) for _ in range(3)]
        first = arena.take_in(100, bases[0])
        second = arena.take_in(1 << 21, bases[1])
        assert bases[0][0] == bases[1][0] != 0 and bases[0][0] % 64 == 0
        del second
        gc.collect()
        bases[1][0] = 1
        third = arena.take_in(1 << 22, bases[2])
        assert bases[0][0] == bases[2][0] and bases[1][0] == 1
        assert first is not None and third is not None

    def test_does_not_move_while_a_plan_runs(self):
        arena = Arena()
        bases = np.zeros(1, np.int64)
        user = arena.take_in(100, bases)
        arena.is_busy = True
        assert arena.take_in(200, np.zeros(1, np.int64)) is None
        assert arena.take_in(50, bases) is not None and user is not None
