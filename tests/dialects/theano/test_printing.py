"""Graphs as text, and the modes that look at each op."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.compile import DebugMode, MonitorMode, NanGuardMode
from septet.dialects.theano.misc import pkl_utils


def test_mathematics() -> None:
    x, y = T.dmatrices("x", "y")
    assert theano.pp(x + y) == "(x + y)"
    assert theano.pp(T.exp(x) * 2 - abs(y)) == "((exp(x) * TensorConstant{2}) - |y|)"
    assert theano.pp(T.dot(x, y.T)[0:3]) == "(x \\dot y.T)[0:3]"


def test_trees() -> None:
    x = T.dvector("x")
    y = T.tanh(x)
    text = theano.printing.debugprint(y * y, file="str")
    assert text.splitlines() == [
        "Elemwise{mul,no_inplace} [id A] ''   ",
        " |Elemwise{tanh,no_inplace} [id B] ''   ",
        " | |x [id C]",
        " |Elemwise{tanh,no_inplace} [id B] ''   ",
    ]
    function = theano.function([x], y)
    assert "tanh" in theano.printing.debugprint(function, file="str", print_type=True)


def test_values_are_printed_when_they_are_computed(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    f = theano.function([x], theano.printing.Print("x is", attrs=("shape",))(x) * 2)
    assert f([1.0, 2.0]).tolist() == [2, 4]
    assert capsys.readouterr().out == "x is shape = (2,)\n"


def test_modes_that_look_at_each_op() -> None:
    x = T.dvector("x")
    seen: list[str] = []
    mode = MonitorMode(post_func=lambda i, node, fn: seen.append(f"{i} {node.op} {fn.outputs[0][0]}"))
    theano.function([x], T.exp(x).sum(), mode=mode)([0.0])
    assert [line.split()[0] for line in seen] == ["0", "1"]
    guarded = theano.function([x], T.log(x).sum(), mode=NanGuardMode())
    assert guarded([1.0]) == 0
    with pytest.raises(AssertionError, match="NaN detected"):
        guarded([-1.0])

    class Wrong(theano.Op):
        __props__ = ()
        destroy_map: dict[int, list[int]] = {}

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, outputs):
            inputs[0][0] = 7
            outputs[0][0] = inputs[0]

    with pytest.raises(theano.compile.debugmode.BadDestroyMap):
        theano.function([x], Wrong()(x * 1), mode=DebugMode())([1.0])

    class View(Wrong):
        def perform(self, node, inputs, outputs):
            outputs[0][0] = inputs[0][1:]

    with pytest.raises(theano.compile.debugmode.BadViewMap):
        theano.function([x], View()(x * 1), mode="DEBUG_MODE")([1.0, 2.0])
    said = View()
    said.view_map = {0: [0]}
    assert theano.function([x], said(x * 1), mode="DEBUG_MODE")([1.0, 2.0]) == 2


def test_variables_are_pickled_with_their_values() -> None:
    w = theano.shared(np.arange(3.0), "w")
    x = T.dvector("x")
    file = io.BytesIO()
    pkl_utils.dump((w, x, (w * x).sum()), file)
    file.seek(0)
    v, z, cost = pkl_utils.load(file)
    assert v.get_value().tolist() == [0, 1, 2] and v is not w
    assert theano.function([z], cost)(np.ones(3)) == 3
    assert pickle.loads(pickle.dumps(x)).type == x.type


def test_descriptions_that_are_the_same_for_equal_graphs() -> None:
    x, y = T.dvectors("x", "y")
    assert theano.printing.var_descriptor((x + y) * x) == (
        "A=Elemwise{mul,no_inplace}(B=Elemwise{add,no_inplace}(C=x,D=y),<C>)"
    )
    assert theano.printing.min_informative_str(x + x) == "A. Elemwise{add,no_inplace}\n B. x\n <B>"
    assert theano.printing.position_independent_str(x) == "theano_var{type=TensorType(float64, vector)}"
    a, b = theano.gof.utils.give_variables_names([T.scalar(), T.scalar()])
    assert (a.name, b.name) == ("_0", "_1")


def test_graphs_show_how_elementwise_ops_broadcast():
    m, v = T.dmatrix("m"), T.dvector("v")
    total = m + v
    wide = total.owner.inputs[1]
    assert str(wide.owner.op) == "InplaceDimShuffle{x,0}" and wide.broadcastable == (True, False)
    both = theano.function([m, v], [total, wide, theano.clone(total, {v: v * 2})])
    for found, expected in zip(both(np.eye(2), [1, 2]), ([[2, 2], [1, 3]], [[1, 2]], [[3, 4], [2, 5]]), strict=True):
        np.testing.assert_array_equal(found, expected)
    gradients = theano.function([m, v], theano.grad((total * wide).sum(), [wide, v]))(np.eye(2), [1, 2])
    np.testing.assert_array_equal(gradients[0], [[5, 9]])
    np.testing.assert_array_equal(gradients[1], [5, 9])
    given = theano.function([m], total, givens={wide: T.ones((1, 2))}, on_unused_input="ignore")
    np.testing.assert_array_equal(given(np.eye(2)), np.eye(2) + 1)
    names = [str(one.owner.op) for one in (T.join(0, v, v), m.sum(axis=0), v.sum(), T.cast(v, "int32"))]
    assert names == ["Join", "Sum{axis=[0], acc_dtype=float64}", "Sum{acc_dtype=float64}", "Elemwise{Cast{int32}}"]
    assert theano.pp(T.cast(total, "float32")) == "float32((m + v))"
    scaled = theano.function([m], (T.exp(m) * 2.5)).maker.fgraph.outputs[0]
    assert theano.pp(scaled) == "(exp(m) * TensorConstant{(1, 1) of 2.5})"
    assert {str(node.op) for node in theano.function([m], T.exp(m).shape).maker.fgraph.toposort()} == {
        "Shape_i{0}", "Shape_i{1}", "MakeVector{dtype='int64'}",
    }  # fmt: skip


def test_gradients_are_printed_as_formulas() -> None:
    x, m, v, w = T.dscalar("x"), T.dmatrix("m"), T.dvector("v"), theano.shared(np.ones((2, 2)), "w")
    assert theano.pp(theano.grad(x**2, x)) == "(x * TensorConstant{2.0})"
    assert theano.pp(theano.grad(T.exp(m.dot(v)).sum(), v)) == "(exp((m \\dot v)) \\dot m)"
    assert theano.pp(theano.grad(T.log(m.dot(w)).sum(), w)).startswith("(m.T \\dot ")
    long = x
    for _ in range(20):
        long = T.tanh(long) * long
    assert theano.pp(theano.grad(long, x)) == "Gradient(x)"
