"""F1: nodes, the op card and its registry, graphs, rewriting, verification, printing, serialization. No concrete op."""
