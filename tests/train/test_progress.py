"""Progress on a terminal and in a file."""

import io

from septet.train.progress import Progress, Quiet

ROW = {"epoch": 1, "loss": 0.25, "accuracy": 0.5, "seconds": 1.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(progress):
    progress.start(1)
    for _ in range(3):
        progress.step({"loss": 0.25, "accuracy": 0.5})
    progress.end(ROW)
    progress.note("done")


def test_a_file_gets_plain_lines():
    stream = io.StringIO()
    show(Progress(2, 3, stream))
    assert stream.getvalue() == "epoch 1/2  loss 0.2500  accuracy 0.5000  1.50 s\ndone\n"


def test_a_terminal_gets_a_bar_with_values_and_time(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    show(Progress(2, 3, stream))
    text = stream.getvalue()
    assert "\x1b[" in text and "3/3" in text and "0:00:00" in text
    assert text.endswith("epoch 1/2  loss 0.2500  accuracy 0.5000  1.50 s\ndone\n")


def test_great_values_stay_short():
    stream = io.StringIO()
    Progress(1, 1, stream).end({"epoch": 1, "loss": 1.86e28, "val_loss": 123456.5, "seconds": 1.5})
    assert stream.getvalue() == "epoch 1/1  loss 1.860e+28  val_loss 123456.5000  1.50 s\n"


def test_quiet_shows_nothing(capsys):
    show(Quiet())
    assert capsys.readouterr().out == ""
