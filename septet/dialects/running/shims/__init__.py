"""Names and ways of NumPy, Python and others that old programs rely on and that are gone; only `septet run` has them.

Each shim has a name; ``septet run --explain`` lists them all, and after a program those that it used.
"""
