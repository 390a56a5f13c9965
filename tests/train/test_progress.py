"""Progress on a terminal and in a file."""

import io

import numpy as np

from septet.data import Batches
from septet.train import Loop, Progress

DATA = (np.zeros((6, 1), np.float32), np.zeros(6))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(stream, values=None):
    values = values or {"loss": 0.25, "accuracy": 0.5}
    loop = Loop(lambda x, y: values, Batches(DATA, batch_size=2), extensions=[Progress(stream)])
    loop.log.note("begins")
    loop.run(2)
    return stream.getvalue()


def test_a_file_gets_plain_lines():
    lines = show(io.StringIO()).splitlines()
    assert lines[0] == "begins" and len(lines) == 3
    assert [line.rsplit("  ", 1)[0] for line in lines[1:]] == [
        f"epoch {i}/2  loss 0.2500  accuracy 0.5000" for i in (1, 2)
    ]


def test_a_terminal_gets_a_bar_with_values_and_time(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = show(Terminal())
    assert "\x1b[" in text and "3/3" in text and "0:00:00" in text
    assert "\x1b[2Kepoch 2/2  loss 0.2500  accuracy 0.5000  " in text.splitlines()[-1]


def test_great_values_stay_short():
    text = show(io.StringIO(), {"loss": 1.86e28, "other": 123456.5})
    assert "epoch 1/2  loss 1.860e+28  other 123456.5000  " in text
