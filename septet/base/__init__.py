"""F0: what every floor needs and nothing knows about tensors: errors, settings, dtypes, shapes, randomness, sources."""
