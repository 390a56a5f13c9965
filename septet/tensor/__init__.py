"""F3: what users hold: Tensor, Variable, symbols, tracing, and the functions of the namespace made from the cards."""
