"""The command `septet run`: old programs of other systems, unmodified."""

from __future__ import annotations

import click


@click.command(
    short_help="Run a program of another system (Theano, Lasagne ...) unmodified.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def run(words: tuple[str, ...]) -> None:
    """Run a program of another system unmodified."""
    from septet.dialects.running.command import main  # the other commands do without the tables of shims

    main(words)
