"""The command `septet errors`: what the codes at the end of messages mean."""

from __future__ import annotations

import click

from septet.base.errors import ArgumentError, SeptetError, all_errors
from septet.base.text import did_you_mean, table


@click.command(short_help="Explain the code of an error.")
@click.argument("code", required=False)
def errors(code: str | None) -> None:
    """Explain an error: its cause, an example and what to do.

    CODE is what stands at the end of its message, such as S101, or the name of its class. Without it, all codes are
    listed.
    """
    known = [cls for cls in all_errors() if cls.__module__ == SeptetError.__module__]
    if code is None:
        rows = [(cls.code, cls.__name__, cls.explanation().partition("\n")[0]) for cls in known]
        click.echo(table(rows, ("code", "class", "meaning"), "lll"))
        return
    wanted = code.strip("[]").casefold()
    found = [cls for cls in known if wanted in (cls.code.casefold(), cls.__name__.casefold())]
    if not found:
        names = [name for cls in known for name in (cls.code, cls.__name__)]
        raise ArgumentError(
            f"no error has the code {code!r}.{did_you_mean(code, names)} The codes are "
            f"{', '.join(cls.code for cls in known)}"
        )
    for cls in found:
        text = cls.explanation().replace("``", "`")
        click.echo(f"{cls.code}: {cls.__name__}\n\n{text}")
