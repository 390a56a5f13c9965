"""Layers over time: cells, the layers that run them along sequences, and wrappers."""
