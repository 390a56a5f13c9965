"""Commands about files of data sets: ``septet data make``."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(short_help="Make the files of data sets that old programs ask for.")
def data() -> None:
    """Make the files of data sets that old programs ask for."""


@data.command(short_help="Make a file from others, such as mnist.pkl.gz from MNIST's four files.")
@click.argument("name")
@click.option(
    "--from", "source", type=click.Path(file_okay=False, exists=True, path_type=Path), help="Where those are."
)
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), help="Where to put it.")
def make(name: str, source: Path | None, target: Path | None) -> None:
    """Make a file from others, such as mnist.pkl.gz from MNIST's four files.

    Without --from, they are looked for where `st.data.load` looks; without --to, the file is put where `septet run`
    finds it.
    """
    from septet.dialects.running.lost_data import make as make_file  # the other commands do without its tables

    click.echo(f"wrote {make_file(name, source, target)}")
