"""F5: graph to running code. `base` is the protocol; each backend is a folder with the same file names."""
