"""F7: reading and writing weights and models."""

from septet.io.models import load_model, save_model
from septet.io.weights import load_arrays, load_weights, save_weights

__all__ = ["load_arrays", "load_model", "load_weights", "save_model", "save_weights"]
