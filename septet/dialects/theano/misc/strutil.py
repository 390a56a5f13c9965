"""Text of C code, which old programs put together."""


def renderString(string: str, dict: object) -> str:
    """Fill in a text."""
    return string % dict


def render_string(string: str, sub: object) -> str:
    """Fill in a text."""
    return string % sub
