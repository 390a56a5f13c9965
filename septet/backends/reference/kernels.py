"""Computing one node with NumPy: the references of the cards themselves, which constant folding uses too."""

from septet.graph.reference import compute, computer, finish

__all__ = ["compute", "computer", "finish"]
