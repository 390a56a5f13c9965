"""Septet: deep learning in Python. One graph, define-by-run and symbolic; see https-free docs in ``docs/``.

The names here are the public ones. Importing the package starts nothing.
"""
