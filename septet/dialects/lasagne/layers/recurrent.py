"""Recurrent layers: a plain one, LSTM, GRU, and one made of other layers.

Their input is (examples, steps, *features). A mask says which steps of which examples count: where it is 0, the state
stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, nonlinearities
from septet.dialects.lasagne.layers import helper
from septet.dialects.lasagne.layers.base import Layer, MergeLayer
from septet.dialects.lasagne.layers.dense import DenseLayer, or_identity
from septet.dialects.lasagne.layers.input import InputLayer
from septet.dialects.lasagne.utils import unroll_scan

__all__ = ["CustomRecurrentLayer", "GRULayer", "Gate", "LSTMLayer", "RecurrentLayer"]


class BaseRecurrentLayer(MergeLayer):
    """The base of recurrent layers.

    The states at the start are layers that compute them, or parameters for all examples, which `learn_init` trains.
    With `backwards` steps are taken from the last to the first, and outputs stand in the order of the inputs all the
    same. Gradients flow back through `gradient_steps` steps (-1: all), limited to `grad_clipping` in size (0: no
    limit). `unroll_scan` writes steps out one after the other, for a known number of them; `precompute_input` computes
    what depends on the input only for all steps at once.
    """

    mask_incoming_index: int

    def __init__(
        self, incoming: Any, inits: dict[str, Any], backwards: bool, learn_init: bool, gradient_steps: int,
        grad_clipping: Any, unroll_scan: bool, precompute_input: bool, mask_input: Any, only_return_final: bool,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        incomings = [incoming]
        for name, given in {"mask": mask_input, **inits}.items():
            is_input = given is not None if name == "mask" else isinstance(given, Layer)
            setattr(self, f"{name}_incoming_index", len(incomings) if is_input else -1)
            if is_input:
                incomings.append(given)
        super().__init__(incomings, **kwargs)
        self.backwards = backwards
        self.learn_init = learn_init
        self.gradient_steps = gradient_steps
        self.grad_clipping = grad_clipping
        self.unroll_scan = unroll_scan
        self.precompute_input = precompute_input
        self.only_return_final = only_return_final
        if unroll_scan and gradient_steps != -1:
            raise ValueError("Gradient steps must be -1 when unroll_scan is true.")
        if unroll_scan and self.input_shapes[0][1] is None:
            raise ValueError("Input sequence length cannot be specified as None when unroll_scan is True")

    def state_at_start(self, name: str, given: Any, shape: Sequence[int]) -> Any:
        """Return the layer that computes a state at the start, or add a parameter for it."""
        if isinstance(given, Layer):
            return given
        return self.add_param(given, shape, name=name, trainable=self.learn_init, regularizable=False)

    def sequence_shape(self, input_shape: Any, features: Sequence[Any]) -> tuple[Any, ...]:
        """Return the shape of the output whose steps have some features."""
        return (*input_shape[: 1 if self.only_return_final else 2], *features)

    def clipped(self, x: Any) -> Any:
        """Return a variable whose gradient is limited as `grad_clipping` says."""
        limit = self.grad_clipping
        return theano.gradient.grad_clip(x, -limit, limit) if limit else x

    def starts(self, inputs: Sequence[Any], names: Sequence[str]) -> list[Any]:
        """Return the states at the start, for all examples."""

        def start(name: str) -> Any:
            place = getattr(self, f"{name}_incoming_index")
            if place > 0:
                return inputs[place]
            one = getattr(self, name)
            return T.dot(T.ones((inputs[0].shape[0], 1)), one.dimshuffle(*range(1, one.ndim - 1), 0, one.ndim - 1))

        return [start(name) for name in names]

    def recur(
        self, step: Callable[..., list[Any]], inputs: Sequence[Any], sequence: Any, names: Sequence[str],
        constants: list[Any],
    ) -> Any:  # fmt: skip
        """Return the last of the states after each step, or after all of them.

        `step` gets an element of the sequence, whose first axis is that of the steps, and the states, and returns the
        next ones; `constants` are what it uses else. `names` are those of the states.
        """
        starts = self.starts(inputs, names)
        sequences = [sequence]
        function = step
        if self.mask_incoming_index > 0:
            sequences.append(inputs[self.mask_incoming_index].dimshuffle(1, 0, "x"))

            def function(element: Any, mask: Any, *rest: Any) -> list[Any]:
                after = step(element, *rest)
                return [T.switch(mask, new, old) for new, old in zip(after, rest, strict=False)]

        if self.unroll_scan:
            found = unroll_scan(
                fn=function, sequences=sequences, outputs_info=starts, go_backwards=self.backwards,
                non_sequences=constants, n_steps=self.input_shapes[0][1],
            )  # fmt: skip
        else:
            found = theano.scan(
                fn=function, sequences=sequences, outputs_info=starts, go_backwards=self.backwards,
                truncate_gradient=self.gradient_steps, non_sequences=constants, strict=True,
            )[0]  # fmt: skip
        output = found[-1] if isinstance(found, (list, tuple)) else found
        if self.only_return_final:
            return output[-1]
        output = output.dimshuffle(1, 0, *range(2, output.ndim))
        return output[:, ::-1] if self.backwards else output


class CustomRecurrentLayer(BaseRecurrentLayer):
    """``h[t] = nonlinearity(input_to_hidden(x[t]) + hidden_to_hidden(h[t - 1]))``, both of any layers."""

    def __init__(
        self, incoming: Any, input_to_hidden: Any, hidden_to_hidden: Any, nonlinearity: Any = nonlinearities.rectify,
        hid_init: Any = init.Constant(0.0), backwards: bool = False, learn_init: bool = False, gradient_steps: int = -1,
        grad_clipping: Any = 0, unroll_scan: bool = False, precompute_input: bool = True, mask_input: Any = None,
        only_return_final: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            incoming, {"hid_init": hid_init}, backwards, learn_init, gradient_steps, grad_clipping, unroll_scan,
            precompute_input, mask_input, only_return_final, **kwargs,
        )  # fmt: skip
        self.input_to_hidden = input_to_hidden
        self.hidden_to_hidden = hidden_to_hidden
        self.nonlinearity = or_identity(nonlinearity)
        self._check_shapes()
        self.hid_init = self.state_at_start("hid_init", hid_init, (1, *hidden_to_hidden.output_shape[1:]))

    def _check_shapes(self) -> None:
        """Raise ValueError where the networks do not fit each other or the input."""
        entries = {}
        for name in ("input_to_hidden", "hidden_to_hidden"):
            found = [layer for layer in helper.get_all_layers(getattr(self, name)) if isinstance(layer, InputLayer)]
            if len(found) != 1:
                raise ValueError(f"`{name}` must have exactly one InputLayer, but it has {len(found)}")
            entries[name] = found[0]
        examples, steps = self.input_shapes[0][:2]
        from_input, from_hidden = self.input_to_hidden.output_shape, self.hidden_to_hidden.output_shape
        rows = from_input[0]
        wanted, what = from_hidden[0], "hidden_to_hidden.output_shape[0]"
        if self.precompute_input:
            wanted = None if None in (examples, steps) else examples * steps
            what = "incoming.output_shape[0] * incoming.output_shape[1] (batch_size * sequence_length)"
        if None not in (rows, wanted) and rows != wanted:
            raise ValueError(
                f"When precompute_input == {self.precompute_input}, input_to_hidden.output_shape[0] must equal {what} or be None, but they are {rows} and {wanted}"
            )
        of_entry = entries["hidden_to_hidden"].output_shape
        for what, shape in (("hidden_to_hidden.output_shape", from_hidden), ("the shape of its input layer", of_entry)):
            if any(
                None not in sizes and sizes[0] != sizes[1] for sizes in zip(from_input[1:], shape[1:], strict=False)
            ):
                raise ValueError(
                    f"The output shape of input_to_hidden and the input and output shapes of hidden_to_hidden must be equal after the first dimension, but input_to_hidden.output_shape={from_input} and {what}={shape}"
                )

    def get_params(self, unwrap_shared: bool = True, **tags: bool) -> list[Any]:
        networks = [self.input_to_hidden, self.hidden_to_hidden]
        own = super().get_params(unwrap_shared=unwrap_shared, **tags)
        return own + helper.get_all_params(networks, unwrap_shared=unwrap_shared, **tags)

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        return self.sequence_shape(input_shapes[0], self.hidden_to_hidden.output_shape[1:])

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        input = inputs[0].dimshuffle(1, 0, *range(2, inputs[0].ndim))
        steps, examples = input.shape[0], input.shape[1]
        constants = helper.get_all_params(self.hidden_to_hidden)
        if self.precompute_input:
            features = [input.shape[axis] for axis in range(2, input.ndim)]
            flat = T.reshape(input, (steps * examples, *features), ndim=input.ndim - 1)
            input = helper.get_output(self.input_to_hidden, flat, **kwargs)
            features = [input.shape[axis] for axis in range(1, input.ndim)]
            input = T.reshape(input, (steps, examples, *features), ndim=input.ndim + 1)
        else:
            constants = constants + helper.get_all_params(self.input_to_hidden)

        def step(element: Any, hidden: Any, *_: Any) -> list[Any]:
            total = helper.get_output(self.hidden_to_hidden, hidden, **kwargs)
            if not self.precompute_input:
                element = helper.get_output(self.input_to_hidden, element, **kwargs)
            return [self.nonlinearity(self.clipped(total + element))]

        return self.recur(step, inputs, input, ["hid_init"], constants)


class RecurrentLayer(CustomRecurrentLayer):
    """``h[t] = nonlinearity(dot(x[t], W_in_to_hid) + dot(h[t - 1], W_hid_to_hid) + b)``."""

    def __init__(
        self, incoming: Any, num_units: int, W_in_to_hid: Any = init.Uniform(), W_hid_to_hid: Any = init.Uniform(),
        b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.rectify, hid_init: Any = init.Constant(0.0),
        backwards: bool = False, learn_init: bool = False, gradient_steps: int = -1, grad_clipping: Any = 0,
        unroll_scan: bool = False, precompute_input: bool = True, mask_input: Any = None,
        only_return_final: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        shape = incoming if isinstance(incoming, tuple) else incoming.output_shape
        before = kwargs["name"] + "." if "name" in kwargs else ""
        words = {key: value for key, value in kwargs.items() if key != "name"}
        from_input = DenseLayer(
            InputLayer((None, *shape[2:])), num_units, W=W_in_to_hid, b=b, nonlinearity=None,
            name=before + "input_to_hidden", **words,
        )  # fmt: skip
        from_hidden = DenseLayer(
            InputLayer((None, num_units)), num_units, W=W_hid_to_hid, b=None, nonlinearity=None,
            name=before + "hidden_to_hidden", **words,
        )  # fmt: skip
        self.W_in_to_hid = from_input.W
        self.W_hid_to_hid = from_hidden.W
        self.b = from_input.b
        super().__init__(
            incoming, from_input, from_hidden, nonlinearity, hid_init, backwards, learn_init, gradient_steps,
            grad_clipping, unroll_scan, precompute_input, mask_input, only_return_final, **kwargs,
        )  # fmt: skip


class Gate:
    """The parameters and the nonlinearity of a gate, for `LSTMLayer` and `GRULayer`."""

    def __init__(
        self, W_in: Any = init.Normal(0.1), W_hid: Any = init.Normal(0.1), W_cell: Any = init.Normal(0.1),
        b: Any = init.Constant(0.0), nonlinearity: Any = nonlinearities.sigmoid,
    ) -> None:  # fmt: skip
        self.W_in = W_in
        self.W_hid = W_hid
        if W_cell is not None:
            self.W_cell = W_cell
        self.b = b
        self.nonlinearity = or_identity(nonlinearity)


class GatedLayer(BaseRecurrentLayer):
    """The base of recurrent layers with gates, whose weights are used side by side in one product."""

    def add_gates(self, units: int, gates: dict[str, Gate]) -> None:
        """Add the parameters of gates, as attributes ``W_in_to_NAME``, ``W_hid_to_NAME`` and ``b_NAME``."""
        self.num_units = units
        features = int(np.prod(self.input_shapes[0][2:]))
        for name, gate in gates.items():
            for kind, spec, size in (("in", gate.W_in, features), ("hid", gate.W_hid, units)):
                label = f"W_{kind}_to_{name}"
                setattr(self, label, self.add_param(spec, (size, units), name=label))
            setattr(self, f"b_{name}", self.add_param(gate.b, (units,), name=f"b_{name}", regularizable=False))

    def begun(self, inputs: Sequence[Any], names: Sequence[str]) -> tuple[Any, Callable[[Any], Any], Any, list[Any]]:
        """Return what steps are made of, for gates whose weights stand side by side.

        These are the sequence of shape (steps, examples, features), a function from an element of it to what it adds
        to the gates, the weights of the hidden state, and the constants.
        """
        input = inputs[0]
        sequence = (input.flatten(3) if input.ndim > 3 else input).dimshuffle(1, 0, 2)
        W_in = T.concatenate([getattr(self, f"W_in_to_{name}") for name in names], axis=1)
        W_hid = T.concatenate([getattr(self, f"W_hid_to_{name}") for name in names], axis=1)
        b = T.concatenate([getattr(self, f"b_{name}") for name in names], axis=0)
        if self.precompute_input:
            return T.dot(sequence, W_in) + b, lambda element: element, W_hid, [W_hid]
        return sequence, lambda element: T.dot(element, W_in) + b, W_hid, [W_hid, W_in, b]

    def parts(self, x: Any, count: int) -> list[Any]:
        """Return what belongs to each gate."""
        units = self.num_units
        found = [x[:, position * units : (position + 1) * units] for position in range(count)]
        return [T.addbroadcast(own, 1) for own in found] if units == 1 else found

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        return self.sequence_shape(input_shapes[0], (self.num_units,))


class LSTMLayer(GatedLayer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), as in Graves (2013), equations 7 to 11."""

    def __init__(
        self, incoming: Any, num_units: int, ingate: Any = Gate(), forgetgate: Any = Gate(),
        cell: Any = Gate(W_cell=None, nonlinearity=nonlinearities.tanh), outgate: Any = Gate(),
        nonlinearity: Any = nonlinearities.tanh, cell_init: Any = init.Constant(0.0), hid_init: Any = init.Constant(0.0),
        backwards: bool = False, learn_init: bool = False, peepholes: bool = True, gradient_steps: int = -1,
        grad_clipping: Any = 0, unroll_scan: bool = False, precompute_input: bool = True, mask_input: Any = None,
        only_return_final: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            incoming, {"hid_init": hid_init, "cell_init": cell_init}, backwards, learn_init, gradient_steps,
            grad_clipping, unroll_scan, precompute_input, mask_input, only_return_final, **kwargs,
        )  # fmt: skip
        self.nonlinearity = or_identity(nonlinearity)
        self.peepholes = peepholes
        gates = {"ingate": ingate, "forgetgate": forgetgate, "cell": cell, "outgate": outgate}
        self.add_gates(num_units, gates)
        for name, gate in gates.items():
            setattr(self, f"nonlinearity_{name}", gate.nonlinearity)
            if peepholes and name != "cell":
                label = f"W_cell_to_{name}"
                setattr(self, label, self.add_param(gate.W_cell, (num_units,), name=label))
        self.cell_init = self.state_at_start("cell_init", cell_init, (1, num_units))
        self.hid_init = self.state_at_start("hid_init", hid_init, (1, num_units))

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        own: Any = self
        sequence, entry_of, W_hid, constants = self.begun(inputs, ["ingate", "forgetgate", "cell", "outgate"])
        if self.peepholes:
            constants += [own.W_cell_to_ingate, own.W_cell_to_forgetgate, own.W_cell_to_outgate]

        def step(element: Any, cell: Any, hidden: Any, *_: Any) -> list[Any]:
            total = self.clipped(entry_of(element) + T.dot(hidden, W_hid))
            ingate, forgetgate, entry, outgate = self.parts(total, 4)
            if self.peepholes:
                ingate = ingate + cell * own.W_cell_to_ingate
                forgetgate = forgetgate + cell * own.W_cell_to_forgetgate
            kept = own.nonlinearity_forgetgate(forgetgate) * cell
            cell = kept + own.nonlinearity_ingate(ingate) * own.nonlinearity_cell(entry)
            if self.peepholes:
                outgate = outgate + cell * own.W_cell_to_outgate
            return [cell, own.nonlinearity_outgate(outgate) * self.nonlinearity(cell)]

        return self.recur(step, inputs, sequence, ["cell_init", "hid_init"], constants)


class GRULayer(GatedLayer):
    """Gated recurrent units (Chung et al. 2014); the reset gate multiplies the product with the state's weights."""

    def __init__(
        self, incoming: Any, num_units: int, resetgate: Any = Gate(W_cell=None), updategate: Any = Gate(W_cell=None),
        hidden_update: Any = Gate(W_cell=None, nonlinearity=nonlinearities.tanh), hid_init: Any = init.Constant(0.0),
        backwards: bool = False, learn_init: bool = False, gradient_steps: int = -1, grad_clipping: Any = 0,
        unroll_scan: bool = False, precompute_input: bool = True, mask_input: Any = None,
        only_return_final: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            incoming, {"hid_init": hid_init}, backwards, learn_init, gradient_steps, grad_clipping, unroll_scan,
            precompute_input, mask_input, only_return_final, **kwargs,
        )  # fmt: skip
        self.add_gates(num_units, {"updategate": updategate, "resetgate": resetgate, "hidden_update": hidden_update})
        self.nonlinearity_updategate = updategate.nonlinearity
        self.nonlinearity_resetgate = resetgate.nonlinearity
        self.nonlinearity_hid = hidden_update.nonlinearity
        self.hid_init = self.state_at_start("hid_init", hid_init, (1, num_units))

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        sequence, entry_of, W_hid, constants = self.begun(inputs, ["resetgate", "updategate", "hidden_update"])

        def step(element: Any, hidden: Any, *_: Any) -> list[Any]:
            given = self.parts(self.clipped(T.dot(hidden, W_hid)), 3)
            fresh = self.parts(entry_of(self.clipped(element)), 3)
            reset = self.nonlinearity_resetgate(given[0] + fresh[0])
            share = self.nonlinearity_updategate(given[1] + fresh[1])
            update = self.nonlinearity_hid(self.clipped(fresh[2] + reset * given[2]))
            return [(1 - share) * hidden + share * update]

        return self.recur(step, inputs, sequence, ["hid_init"], constants)
