"""The command `septet`, which is ``python -m septet`` too: it imports what the commands need when it runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; Ctrl-C while it is imported, which takes half a second, ends it without a traceback."""
    try:
        from septet.cli.main import main as run
    except KeyboardInterrupt:
        print("Aborted!", file=sys.stderr)  # what click says when it comes later
        sys.exit(1)
    run()


if __name__ == "__main__":
    main()
