"""F4: graph to graph, new meaning: gradients in both modes, batching, rematerialisation."""
