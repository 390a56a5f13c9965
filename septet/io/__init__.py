"""F7: reading and writing weights."""

from septet.io.weights import load_arrays, load_weights, save_weights

__all__ = ["load_arrays", "load_weights", "save_weights"]
