"""F6: running: evaluation on demand, `function`, `compile`, checking, explaining."""
