"""Attention: over the states of an encoder, of several heads, and the transformers made of it."""
