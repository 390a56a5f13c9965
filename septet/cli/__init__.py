"""F9: the command `septet`."""
