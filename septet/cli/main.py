"""The command `septet`."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

import septet as st
from septet.base.errors import SeptetError

COMMANDS = {
    "train": "train",
    "evaluate": "use",
    "predict": "use",
    "summary": "look",
    "view": "look",
    "board": "look",
    "doctor": "machine",
    "bench": "machine",
    "run": "run",
    "data": "data",
    "errors": "explain",
}
"""The commands, each with the module in `septet.cli` that has it; only the one that is called is imported."""


class Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"septet.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(st.__version__, prog_name="septet")
def septet() -> None:
    """Septet: deep learning in Python.

    With a folder of images, a sub-folder for each class:

    \b
        septet train photos/         learn, save the model, draw what it learned
        septet evaluate              how good it is, class by class
        septet predict picture.jpg   what a new picture shows
    """


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
