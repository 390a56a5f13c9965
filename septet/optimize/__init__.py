"""F4: graph to graph, same meaning. `pipeline` has the ordered list of passes; the other files have their rules."""
