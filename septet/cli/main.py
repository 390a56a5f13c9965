"""The command `septet`."""

from __future__ import annotations

import os
import sys

import click

import septet as st
from septet.base.errors import SeptetError
from septet.cli.data import data
from septet.cli.explain import errors
from septet.cli.look import board, summary, view
from septet.cli.machine import bench, doctor
from septet.cli.run import run
from septet.cli.train import train
from septet.cli.use import evaluate, predict


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(st.__version__, prog_name="septet")
def septet() -> None:
    """Septet: deep learning in Python.

    With a folder of images, a sub-folder for each class:

    \b
        septet train photos/         learn, save the model, draw what it learned
        septet evaluate              how good it is, class by class
        septet predict picture.jpg   what a new picture shows
    """


for command in (train, evaluate, predict, summary, view, board, doctor, bench, run, data, errors):
    septet.add_command(command)


def main() -> None:
    """Run the command; errors of Septet and of the file system are told without a traceback."""
    try:
        septet()
    except SeptetError as error:
        click.echo(f"septet: {error}", err=True)
        if error.hint and error.hint not in str(error):
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(1)
    except OSError as error:
        place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        click.echo(f"septet: {error.strerror or error}{place}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
