"""Commands about the machine: `doctor`."""

from __future__ import annotations

import click

import septet as st
from septet.backends.cpu import libraries, objects
from septet.base.config import config
from septet.base.threads import explain


@click.command()
def doctor() -> None:
    """Show versions, threads and settings."""
    import importlib.metadata
    import platform

    click.echo(f"septet {st.__version__}, Python {platform.python_version()}, {platform.platform()}")
    packages = "numpy ml-dtypes llvmlite scipy-openblas32 onednn-cpu-gomp safetensors rich click matplotlib pillow"
    for name in packages.split():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        click.echo(f"  {name}: {version}")
    click.echo(objects.current().status())
    click.echo("\n".join(libraries.status()))
    click.echo(explain())
    click.echo(config.table())
