"""The reference backend: NumPy, op by op, from the cards. Slow, always right; other backends are tested against it."""
