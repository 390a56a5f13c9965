"""The reference backend: NumPy, op by op, from the cards. Slow, always right; every other backend is tested against it."""
