"""Lasagne's public interface over the theano dialect: networks written for Lasagne 0.1 and 0.2 run on it.

``import septet.dialects.lasagne as lasagne`` in new code; `septet run` maps the name ``lasagne`` for old programs.
"""

from septet.dialects.lasagne import init, layers, nonlinearities, objectives, random, regularization, updates, utils

__version__ = "0.2.dev1"
