"""Make the golden values of recurrent layers and of CTC: what PyTorch and Keras compute, forward and backward.

Each framework writes one file, tests/golden/sequences/FRAMEWORK.npz; `golden` says what is in it. What neither has
(peepholes, gradients that are cut, a convolutional step by itself) is written out here, step by step.

Usage: python tools/make_golden_sequences.py torch     (with PyTorch installed; likewise `keras`)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from golden import Arrays, draw, gates, randomize, record_keras, record_torch, take, write

B, T, C, H = 2, 4, 3, 3
MASK = np.array([[True, True, False, True], [True, False, False, False]])


# PyTorch


def weights_of(modules: dict[str, Any], kind: str) -> Arrays:
    """Return weights, or gradients, of PyTorch's recurrent layers and cells under Septet's paths.

    Parameters
    ----------
    modules : dict
        By the path of their first cell; further layers and the other direction follow as their modules have them.
    kind : {"w", "g"}
    """
    found = {}
    for path, module in modules.items():
        for index, weights in enumerate(getattr(module, "all_weights", None) or [list(module.parameters())]):
            place = path.replace("#", str(index // 2 if getattr(module, "bidirectional", False) else index))
            if getattr(module, "bidirectional", False):
                place = ("layer." if index % 2 == 0 else "backward.") + place
            is_gru, is_lstm = (weights[0].shape[0] == count * module.hidden_size for count in (3, 4))
            order = (1, 0, 2) if is_gru else tuple(range(4 if is_lstm else 1))
            arrays = [gates(take(weight, kind).T, order) for weight in weights]
            names = ["kernel", "recurrent_kernel", "bias", "recurrent_bias"]
            if len(arrays) == 4 and not is_gru:  # only the sum of the two biases matters
                *arrays, other = arrays
                arrays[2] = arrays[2] + other if kind == "w" else arrays[2]
            found |= {f"{place}.{name}": array for name, array in zip(names, arrays, strict=False)}
    return found


def packed(module: Any, x: Any, lengths: Any, state: Any = None) -> tuple[Any, Any]:
    """Run a layer over sequences of these lengths: outputs, zeros after the end of each, and the last state."""
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    sequences = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, last = module(sequences, state)
    return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], last


def torch_layers(values: Arrays) -> None:
    import torch
    from torch import nn

    words = {"batch_first": True}
    lengths = np.array([4, 2])
    rnn = randomize(nn.RNN(C, H, **words))
    record_torch(
        values, "rnn", lambda x: rnn(x)[0], lambda kind: weights_of({"cells.#": rnn}, kind), x=draw(B, T, C)
    )  # fmt: skip
    relu = randomize(nn.RNN(C, H, nonlinearity="relu", bias=False, **words))
    record_torch(
        values, "rnn from a state", lambda x, state: tuple(y.squeeze(0) for y in relu(x, state[None])),
        lambda kind: weights_of({"cells.#": relu}, kind), x=draw(B, T, C), state=draw(B, H),
    )  # fmt: skip
    two = randomize(nn.LSTM(C, H, 2, **words))

    def states(last: Any) -> Any:
        return tuple(zip(*(part.unbind(0) for part in last), strict=True))  # layer by layer

    def run_two(x: Any, lengths: Any) -> Any:
        y, last = packed(two, x, lengths)
        return y, states(last)

    record_torch(
        values, "lstm of two layers", run_two, lambda kind: weights_of({"cells.#": two}, kind), x=draw(B, T, C),
        lengths=lengths,
    )  # fmt: skip
    both = randomize(nn.GRU(C, H, bidirectional=True, **words))

    def run_both(x: Any, lengths: Any) -> Any:
        y, last = packed(both, x, lengths)
        return y, tuple(last.unbind(0))

    record_torch(
        values, "gru in both directions", run_both, lambda kind: weights_of({"cells.#": both}, kind), x=draw(B, T, C),
        lengths=lengths,
    )  # fmt: skip
    lstm, gru = randomize(nn.LSTM(C, H, **words)), randomize(nn.GRU(H, 2, bias=False, **words))
    record_torch(
        values, "gru on lstm", lambda x, lengths: packed(gru, packed(lstm, x, lengths)[0], lengths)[1][0],
        lambda kind: weights_of({"cells.0": lstm, "cells.1": gru}, kind), x=draw(B, T, C), lengths=lengths,
    )  # fmt: skip
    learned = randomize(nn.GRU(C, H, **words))
    first = nn.Parameter(torch.tensor(draw(H)).double())
    record_torch(
        values, "gru from a learned state", lambda x: learned(x, first.expand(1, len(x), H).contiguous())[0],
        lambda kind: weights_of({"cells.#": learned}, kind) | {"cells.0.first_hidden": take(first, kind)},
        x=draw(B, T, C),
    )  # fmt: skip
    kept = randomize(nn.RNN(C, H, **words))

    def run_kept(x: Any, more: Any) -> Any:
        y, state = kept(x)
        return y, kept(more, state.detach())[0]

    def weights_of_kept(kind: str) -> Arrays:
        found = {} if kind == "g" else {"layer.states.0": np.zeros((B, H))}
        return found | weights_of({"layer.cells.#": kept}, kind)

    record_torch(values, "rnn that keeps its state", run_kept, weights_of_kept, x=draw(B, T, C), more=draw(B, T, C))
    shared = randomize(nn.Linear(C, 2))
    record_torch(
        values, "dense step by step", lambda x: shared(x),
        lambda kind: {"layer.kernel": take(shared.weight, kind).T, "layer.bias": take(shared.bias, kind)},
        x=draw(B, T, C),
    )  # fmt: skip


def torch_cells(values: Arrays) -> None:
    import torch
    from torch import nn

    rnn, gru, lstm = (randomize(cell(C, H)) for cell in (nn.RNNCell, nn.GRUCell, nn.LSTMCell))
    for name, cell in (("rnn cell", rnn), ("gru cell", gru)):

        def run(x: Any, state: Any, cell: Any = cell) -> Any:
            hidden = cell(x, state)
            return hidden, hidden

        record_torch(
            values, name, run, lambda kind, cell=cell: weights_of({"cell": cell}, kind), x=draw(B, C), state=draw(B, H)
        )

    def run_lstm(x: Any, hidden: Any, cell: Any) -> Any:
        hidden, cell = lstm(x, (hidden, cell))
        return hidden, (hidden, cell)

    record_torch(
        values, "lstm cell", run_lstm, lambda kind: weights_of({"cell": lstm}, kind), x=draw(B, C), hidden=draw(B, H),
        cell=draw(B, H),
    )  # fmt: skip
    kernel, recurrent, bias = (
        nn.Parameter(torch.tensor(0.5 * draw(*shape)).double()) for shape in ((8, 3, 3, 2), (8, 2, 3, 2), (8,))
    )

    def run_conv(x: Any, hidden: Any, cell: Any) -> Any:
        """Equation 3 of Shi et al., 2015, without its last terms; a window of two pixels looks at the one after."""
        total = nn.functional.conv2d(x, kernel, bias, dilation=(1, 2))
        total = total + nn.functional.conv2d(nn.functional.pad(hidden, (0, 1, 1, 1)), recurrent)
        i, f, g, o = total.chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.relu()
        hidden = o.sigmoid() * cell.relu()
        return hidden, (hidden, cell)

    parts = {"cell.kernel": kernel, "cell.recurrent_kernel": recurrent, "cell.bias": bias}
    record_torch(
        values, "convolutional cell", run_conv, lambda kind: {path: take(part, kind) for path, part in parts.items()},
        x=draw(B, 3, 6, 5), hidden=draw(B, 2, 4, 3), cell=draw(B, 2, 4, 3),
    )  # fmt: skip


def torch_steps(values: Arrays) -> None:
    """Record what PyTorch's layers cannot do, step by step."""
    import torch
    from torch import nn

    parts = {"kernel": (C, 4 * H), "recurrent_kernel": (H, 4 * H), "bias": (4 * H,), "peephole": (3 * H,)}
    w = {name: nn.Parameter(torch.tensor(0.5 * draw(*shape)).double()) for name, shape in parts.items()}

    def peepholes(x: Any, mask: Any) -> Any:
        """Section 2 of Gers et al., 2002; steps that a mask leaves out are skipped, their outputs are zeros."""
        outputs = []
        of_i, of_f, of_o = w["peephole"].chunk(3)
        for sequence, counts in zip(x, mask, strict=True):
            hidden, cell = torch.zeros(H), torch.zeros(H)
            rows = [torch.zeros(H)] * len(sequence)
            for step in range(len(sequence)):
                if counts[step]:
                    i, f, g, o = (sequence[step] @ w["kernel"] + hidden @ w["recurrent_kernel"] + w["bias"]).chunk(4)
                    old = cell
                    cell = (f + of_f * old).sigmoid() * old + (i + of_i * old).sigmoid() * g.tanh()
                    hidden = rows[step] = (o + of_o * cell).sigmoid() * cell.tanh()
            outputs.append((torch.stack(rows), hidden, cell))
        return tuple(torch.stack(part) for part in zip(*outputs, strict=True))

    record_torch(
        values, "lstm with peepholes", peepholes, lambda kind: {f"cells.0.{name}": take(w[name], kind) for name in w},
        x=draw(B, T, C), mask=MASK,
    )  # fmt: skip
    cell = randomize(nn.RNNCell(C, H))

    def cut(x: Any) -> Any:
        hidden, outputs = torch.zeros(len(x), H), []
        for step, now in enumerate(x.unbind(1)):
            hidden = cell(now, hidden.detach() if step % 2 == 0 else hidden)
            outputs.append(hidden)
        return torch.stack(outputs, 1)

    record_torch(
        values, "rnn with gradients that are cut", cut, lambda kind: weights_of({"cells.0": cell}, kind),
        x=draw(B, 5, C),
    )  # fmt: skip


def torch_ctc(values: Arrays) -> None:
    """Record losses without a reduction; the second example is impossible."""
    import torch

    def losses(x: Any, labels: Any, lengths: Any, label_lengths: Any) -> Any:
        return torch.nn.functional.ctc_loss(
            x.log_softmax(-1).transpose(0, 1), labels, lengths, label_lengths, blank=0, reduction="none",
            zero_infinity=True,
        )  # fmt: skip

    record_torch(
        values, "ctc", losses, lambda kind: {}, x=draw(4, 6, 4), lengths=np.array([6, 4, 5, 3]),
        labels=np.array([[1, 2, 2], [3, 3, 3], [2, 0, 0], [1, 1, 1]]), label_lengths=np.array([3, 3, 1, 0]),
    )  # fmt: skip


# Keras


def keras_convolutional(values: Arrays) -> None:
    """Record convolutional memories; Keras has channels last."""
    from keras import layers, ops

    def move(path: str, array: np.ndarray) -> np.ndarray:
        return np.moveaxis(array, (-2, -1), (1, 0)) if path.endswith("kernel") else array

    names = ["cells.0.kernel", "cells.0.recurrent_kernel", "cells.0.bias"]
    lines = layers.ConvLSTM1D(2, 3, dilation_rate=2, return_sequences=True, use_bias=False)
    images = layers.ConvLSTM2D(2, 3, padding="same", strides=2, return_sequences=True, return_state=True)
    volumes = layers.ConvLSTM3D(2, 2, padding="same", strides=2, recurrent_activation="hard_sigmoid")
    for name, layer, shape, mask in (
        ("convolutional lstm of lines", lines, (B, 3, 2, 7), None),
        ("convolutional lstm", images, (B, 3, 2, 5, 4), np.array([[True, False, True], [True, True, False]])),
        ("convolutional lstm of volumes", volumes, (1, 3, 2, 3, 3, 4), None),
    ):

        def run(x: Any, mask: Any = None, layer: Any = layer) -> Any:
            y = layer(ops.moveaxis(x, 2, -1), mask=mask)
            y, *state = y if isinstance(y, (tuple, list)) else [y]
            first = 2 if layer.return_sequences else 1
            return ops.moveaxis(y, -1, first), *(ops.moveaxis(part, -1, 1) for part in state)

        masks = {} if mask is None else {"mask": mask}
        paths = names if layer.use_bias else names[:2]
        record_keras(values, name, layer, paths, run, move=move, x=draw(*shape), **masks)


def keras_layers(values: Arrays) -> None:
    """Record layers of Keras."""
    from keras import layers

    parts = ("kernel", "recurrent_kernel", "bias")
    names = [f"cells.0.{part}" for part in parts]
    both = [f"{direction}.{name}" for direction in ("layer", "backward") for name in names]
    for name, layer, paths in (
        ("lstm that holds", layers.LSTM(H, return_sequences=True), names),
        ("lstm with other gates", layers.LSTM(H, "softsign", "hard_sigmoid", use_bias=False), names[:2]),
        ("gru, reset before", layers.GRU(H, reset_after=False), names),
        *(
            (f"rnn in both directions, {merge}", layers.Bidirectional(layers.SimpleRNN(H), merge), both)
            for merge in ("sum", "mul", "ave", None)
        ),
    ):
        record_keras(
            values, name, layer, paths, lambda x, mask, layer=layer: layer(x, mask=mask), x=draw(B, T, C), mask=MASK
        )
    rnn = layers.SimpleRNN(H, go_backwards=True)
    record_keras(values, "rnn backwards", rnn, names, lambda x: rnn(x), x=draw(B, T, C))


if __name__ == "__main__":
    write(
        {"torch": [torch_layers, torch_cells, torch_steps, torch_ctc], "keras": [keras_layers, keras_convolutional]},
        "sequences/{}",
    )
