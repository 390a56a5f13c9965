"""``python -m septet``: the command `septet`."""

from septet.cli.main import main

main()
