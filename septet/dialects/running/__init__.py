"""Running old programs unmodified: names that lead to dialects, translation, shims, data that is gone, notebooks."""
