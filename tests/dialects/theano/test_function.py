"""Functions, shared variables and gradients of the theano dialect, against NumPy."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.compile import UnusedInputError
from septet.dialects.theano.gof.fg import MissingInputError
from septet.dialects.theano.gof.graph import io_toposort
from septet.dialects.theano.gradient import DisconnectedInputError
from septet.dialects.theano.tensor import slinalg


def test_a_sum_of_two_numbers() -> None:
    x, y = T.dscalars("x", "y")
    f = theano.function([x, y], x + y)
    assert f(2, 3) == 5.0 and f(x=1, y=4).dtype == np.float64
    assert str(x + y) == "Elemwise{add,no_inplace}.0" or str(x + y).startswith("Elemwise{add")
    assert (x + y).eval({x: 16.3, y: 12.1}) == pytest.approx(28.4)


def test_outputs_have_the_structure_that_was_given() -> None:
    x = T.dvector("x")
    assert isinstance(theano.function([x], [x])([1, 2]), list)
    assert sorted(theano.function([x], {"a": x, "b": 2 * x})([1])) == ["a", "b"]
    assert theano.function([x], None, on_unused_input="ignore")([1]) == []


def test_updates_and_givens() -> None:
    state, step, x = theano.shared(0), T.iscalar("inc"), T.lscalar("x")
    f = theano.function([step], state, updates=[(state, state + step)])
    assert [int(f(1)), int(f(10)), int(state.get_value())] == [0, 1, 11]
    state.set_value(-1)
    assert int(f(3)) == -1
    g = theano.function([x], state * 2 + x, givens=[(state, x)])
    assert int(g(5)) == 15 and int(state.get_value()) == 2


def test_a_shared_variable_may_change_its_shape() -> None:
    data = theano.shared(np.arange(6.0).reshape(3, 2))
    f = theano.function([], data.sum(axis=0))
    np.testing.assert_array_equal(f(), [6, 9])
    data.set_value(np.ones((5, 4)))
    np.testing.assert_array_equal(f(), [5] * 4)
    longer = theano.shared(np.ones(2))
    grow = theano.function([], longer.shape[0], updates=[(longer, T.concatenate([longer, longer]))])
    assert [int(grow()) for _ in range(4)] == [2, 4, 8, 16]


def test_gradients() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    cost = T.sum(T.tanh(T.dot(x, y)) ** 2)
    gx, gy = T.grad(cost, [x, y])
    a, b = np.random.default_rng(0).standard_normal((2, 3, 3))
    t = np.tanh(a @ b)
    d = 2 * t * (1 - t**2)
    found = theano.function([x, y], [gx, gy])(a, b)
    np.testing.assert_allclose(found[0], d @ b.T)
    np.testing.assert_allclose(found[1], a.T @ d)
    z = T.dvector("z")
    with pytest.raises(DisconnectedInputError):
        T.grad(cost, z)
    np.testing.assert_array_equal(T.grad(cost, z, disconnected_inputs="ignore").eval({z: np.ones(2)}), [0, 0])
    constant = T.grad((x * y).sum(), y, consider_constant=[x])
    np.testing.assert_array_equal(constant.eval({x: a, y: b}), a)


def test_minibatches_by_index() -> None:
    rng = np.random.default_rng(0)
    data = theano.shared(rng.standard_normal((50, 4)).astype("float32"))
    w = theano.shared(np.zeros(4, "float32"))
    index, x = T.lscalar(), T.fmatrix("x")
    cost = T.mean((T.dot(x, w) - 1) ** 2)
    train = theano.function(
        [index], cost, updates=[(w, w - np.float32(0.1) * T.grad(cost, w))],
        givens={x: data[index * 20 : (index + 1) * 20]},
    )  # fmt: skip
    expected = np.zeros(4, np.float64)
    for i in range(3):
        part = data.get_value()[i * 20 : (i + 1) * 20].astype(np.float64)
        error = part @ expected - 1
        np.testing.assert_allclose(train(i), np.mean(error**2), rtol=1e-5)
        expected -= 0.1 * 2 * part.T @ error / len(part)
    np.testing.assert_allclose(w.get_value(), expected, rtol=1e-4)


def test_wrong_calls_say_what_is_wrong() -> None:
    x, y = T.fvector("x"), T.fvector("y")
    with pytest.raises(UnusedInputError, match="y"):
        theano.function([x, y], x)
    with pytest.raises(MissingInputError, match="y"):
        theano.function([x], x + y)
    f = theano.function([x, y], x + y)
    with pytest.raises(TypeError, match="Missing required input: y"):
        f([1.0])
    with pytest.raises(TypeError, match="precision"):
        f(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="number of dimensions"):
        f(np.ones((2, 2), "float32"), np.ones(2, "float32"))
    with pytest.raises(ValueError):
        f(np.ones(3, "float32"), np.ones(2, "float32"))


def test_an_op_of_ones_own() -> None:
    class Double(theano.Op):
        __props__ = ()

        def make_node(self, x):
            x = T.as_tensor_variable(x)
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, outputs):
            outputs[0][0] = inputs[0] * 2

        def grad(self, inputs, gradients):
            return [gradients[0] * 2]

    x = T.dmatrix("x")
    y = Double()(x)
    f = theano.function([x], [y, T.grad((y**2).sum(), x)])
    value = np.arange(6.0).reshape(2, 3)
    found = f(value)
    np.testing.assert_array_equal(found[0], value * 2)
    np.testing.assert_array_equal(found[1], value * 8)
    assert Double() == Double() and str(Double()) == "Double"


def test_settings_can_be_gone_through() -> None:
    """``theano.configparser`` lists them; ``from theano import theano`` is the module itself."""
    assert theano.theano is theano
    (param,) = [each for each in theano.configparser._config_var_list if each.fullname == "compute_test_value"]
    param.__set__(None, "ignore")
    assert param.__get__(None) == theano.config.compute_test_value == "ignore"
    param.__set__(None, "off")


@theano.configparser.change_flags(compute_test_value="raise")
def test_clones_keep_test_values() -> None:
    """Where the types of the inputs are the same."""
    x, y = T.dvector("x"), T.dvector("y")
    x.tag.test_value = y.tag.test_value = np.arange(3.0)
    squares = theano.clone(x**2, {x: y})
    assert (squares - 1).tag.test_value.tolist() == [-1, 0, 3]
    assert (x * np.ones((2, 1))).sum(range(1, 2)).tag.test_value.tolist() == [3, 3]
    op = theano.OpFromGraph([x], [x * 2], lop_overrides=lambda inputs, outputs, grads: [grads[0] * inputs[0].shape[0]])
    assert T.grad(op(y).sum(), y).tag.test_value.tolist() == [3, 3, 3]


def test_updates_may_change_shapes() -> None:
    """Whoever reads the variable, before or after, sees its new value."""
    x, s = T.dvector("x"), theano.shared(np.zeros(0))
    read = theano.function([], [s, s * 2])
    put = theano.function([x], [], updates=[(s, x)])
    clear = theano.function([], [], updates=[(s, T.zeros_like(s))])
    for value in ([1.0, 2.0], [3.0, 4.0], [5.0]):
        put(value)
        assert s.get_value().tolist() == value == read()[0].tolist() and read()[1].tolist() == [2 * v for v in value]
    clear()
    assert read()[0].tolist() == [0.0]


def test_profiles_count_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Of functions that are asked for one."""
    x = T.dvector("x")
    f = theano.function([x], x + 1, profile=True)
    f([1.0]), f([2.0])
    f.profile.summary()
    assert f.profile.fct_callcount == 2 and f.profile.fct_call_time > 0 and "2 calls" in capsys.readouterr().out
    assert theano.function([x], x, profile=False).profile is None


def test_scalars_are_stacked_whatever_the_axis() -> None:
    a = T.dscalar("a")
    assert T.stack([a, a * 2], axis=1).eval({a: 3.0}).tolist() == [3, 6]
    with pytest.raises(IndexError):
        T.stack([T.dvector()], axis=2)


def test_what_is_computed_may_be_an_input() -> None:
    """Its sizes are then those that a call gives, whatever they would have been."""
    x, w = T.ivector("x"), theano.shared(np.ones(5))
    hidden = T.zeros((3, 5))[x] + 1
    f = theano.function([hidden], hidden * 2, updates=[(w, w + hidden.sum(axis=0))])
    assert f(np.ones((1, 5))).shape == (1, 5) and w.get_value().tolist() == [2] * 5
    assert theano.function([hidden], (hidden**2).sum(axis=1))(np.ones((2, 7))).tolist() == [7, 7]


def test_applications_are_sorted_as_theano_does() -> None:
    """What the last input depends on comes first."""
    x, w, b = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b")
    order = io_toposort([x, w, b], [T.tanh(T.dot(x, w) + b), T.exp(b)])
    assert [str(node.op).split("{")[-1].rstrip("}") for node in order] == [
        "x,0",
        "dot",
        "add,no_inplace",
        "tanh,no_inplace",
        "exp,no_inplace",
    ]


def test_the_originals_pickles_of_shared_variables() -> None:
    w = theano.shared(np.arange(3.0), "w")
    container = object.__new__(type(w.container))
    vars(container).update(storage=[np.ones(3)], strict=False, allow_downcast=None)
    state = {name: vars(w)[name] for name in ("type", "owner", "index", "name", "tag", "auto_name")}
    read = object.__new__(type(w))
    read.__setstate__({**state, "container": container})
    assert read.name == "w" and (read.get_value() * 2 == (read * 2).eval()).all()
    read.set_value(np.zeros(3))
    assert (read + 1).sum().eval() == 3


def test_shared_variables_and_functions_are_pickled() -> None:
    w = theano.shared(np.ones(3), "w")
    x = T.dvector("x")
    f = pickle.loads(pickle.dumps(theano.function([x], (w * x).sum(), updates=[(w, w + 1)])))
    assert [float(f(np.ones(3))) for _ in range(2)] == [3.0, 6.0]
    assert w.get_value().tolist() == [1, 1, 1]
    gradient = pickle.loads(pickle.dumps(theano.function([x], T.grad((w**2 * x).sum(), w))))
    assert gradient([1, 2, 3]).tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: 5, TypeError, "FAST_RUN"),
        (lambda: "fast", Exception, "FAST_RUN"),
        (lambda: ["FAST_RUN"], Exception, "multiple modes"),
        (lambda: theano.Mode("cc"), KeyError, "cvm"),
        (lambda: theano.Mode(optimizer="best"), KeyError, "fast_run"),
    ],
)
def test_wrong_modes_are_told_which_there_are(make, error, text):
    x = T.dscalar()
    with pytest.raises(error, match=text):
        theano.function([x], x, mode=make())


def test_graphs_of_functions_say_who_uses_a_variable_and_how_products_are_computed():
    x, y, w = T.dmatrix("x"), T.dmatrix("y"), theano.shared(np.ones(3), "w")
    product = T.dot(x, y)
    outputs = [T.dot(x, w), T.dot(w, y), product, theano.gradient.zero_grad(product), slinalg.cholesky(product).shape]
    f = theano.function([x, y], outputs)
    graph = f.maker.fgraph
    assert graph is f.maker.fgraph and graph.inputs[:2] == [x, y]
    names = {type(node.op).__name__ for node in graph.toposort()}
    assert {"Dot22", "Gemv", "MakeVector"} <= names and not names & {"Dot", "Cholesky", "ZeroGrad", "Shape"}
    users = [graph.outputs[2].clients, graph.outputs[3].clients]
    assert users[0] == users[1] and [user for user in users[0] if user[0] == "output"] == [("output", 2), ("output", 3)]
    assert (graph.outputs[2].owner, 0) in x.clients and x.fgraph is graph
    assert not hasattr(T.dscalar(), "clients")
    again = theano.function([x, y], graph.outputs)
    for one, other in zip(f(np.ones((3, 3)), np.eye(3)), again(np.ones((3, 3)), np.eye(3)), strict=True):
        np.testing.assert_array_equal(one, other)
    plain = theano.function([x, y], product, mode="FAST_COMPILE")
    assert [type(node.op).__name__ for node in plain.maker.fgraph.toposort()] == ["Dot"]
    assert pickle.loads(pickle.dumps(f)).maker.fgraph.outputs[2].clients[0][1] >= 0


def test_the_graph_of_a_function_shows_givens_and_lacks_no_input() -> None:
    x, y = T.dscalars("x", "y")
    f = theano.function([y], x * 2, givens={x: y + 1})
    assert f(3) == 8 and y in theano.gof.graph.inputs(f.maker.fgraph.outputs)
    with pytest.raises(MissingInputError, match="x"):
        theano.gof.FunctionGraph([y], [x + y])
    with pytest.raises(DisconnectedInputError):
        theano.grad(T.ones_like(x), x)


def test_functions_are_named_after_the_line_that_makes_them() -> None:
    x = T.dvector("x")
    f = theano.function([x], x + 1)
    assert f.name.startswith(__file__) and f.name.rsplit(":", 1)[1].isdigit()
    assert f.copy().name == f.name + " copy" and theano.function([x], x, name="own").name == "own"
    with pytest.raises(TypeError, match=r"with name '.*test_function\.py:"):
        f(1.0)


def test_inputs_cannot_be_given() -> None:
    x = T.dvector("x")
    with pytest.raises(RuntimeError, match="input to your function"):
        theano.function([x], x * 2, givens={x: x + 1})


def test_the_old_constructor_of_functions() -> None:
    x = T.dvector("x")
    f = theano.compile.pfunc(params=[x], outputs=[x, 2 * x], output_keys=["a", "b"])
    assert f([1.0])["b"] == 2


def test_what_comes_with_all_names_of_a_module() -> None:
    names: dict[str, object] = {}
    exec("from septet.dialects.theano.tensor import *", names)
    assert names["theano"] is theano and names["np"] is names["numpy"] is np and names["gof"] is theano.gof


class Halved(theano.Op):
    """x / 2, as a program would write it."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = inputs[0] / 2

    def grad(self, inputs: Any, gradients: Any) -> Any:
        return [gradients[0] / 2]


@pytest.mark.parametrize(
    "layer", [T.tanh, Halved(), lambda x: x * T.shared_randomstreams.RandomStreams(1).normal((2,))]
)
def test_functions_with_gradients_are_copied_with_their_variables(layer: Any) -> None:
    w, x = theano.shared(np.ones(2)), T.dvector()
    cost = (layer(w * x) ** 2).sum()
    made = theano.function([x], cost, updates=[(w, w - 0.1 * T.grad(cost, w))])
    made.trust_input = True
    value = np.array([1.0, 2.0])
    copies = [copy.deepcopy({"w": w, "f": made}), pickle.loads(pickle.dumps({"w": w, "f": made}))]
    wanted = [made(value), made(value)]
    for own in copies:
        np.testing.assert_array_equal(own["w"].get_value(), [1, 1])
        assert [own["f"](value), own["f"](value)] == wanted and own["f"].trust_input
        np.testing.assert_array_equal(own["w"].get_value(), w.get_value())


def test_copies_keep_defaults_and_equal_names_are_refused() -> None:
    x, y = T.dscalar("x"), T.dscalar("x")
    f = theano.function([x, theano.In(y, value=1.0, name="y")], x + y)
    f["y"] = 4.0
    assert copy.copy(f)(1.0) == [5.0] and copy.deepcopy(f)(1.0) == 5.0
    with pytest.raises(TypeError, match="Ambiguous name"):
        theano.function([x, y], x + y)(1.0, x=2.0)


def test_the_folder_for_compiled_files_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    with theano.change_flags(base_compiledir=str(tmp_path / "base")):
        assert not (tmp_path / "base").exists()
        folder = Path(theano.config.compiledir)
        assert folder.is_dir() and folder.parent == tmp_path / "base" and folder.name.startswith("compiledir_")
        with theano.change_flags(compiledir=str(tmp_path / "own")):
            assert theano.config.compiledir == str(tmp_path / "own") and (tmp_path / "own").is_dir()
    assert "~" not in theano.config.base_compiledir
