"""F4: graph to graph, new meaning: gradients in both modes, batching, rematerialisation."""

from septet.transform import batch, jvp, vjp  # noqa: F401  (each enters itself in `transforms`)
