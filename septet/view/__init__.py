"""F7: pictures of graphs, of learning, of predictions, weights and activations; image files. Calls need the extra
``septet[view]``, not the import."""

from septet.view.activations import activations, plot_activations, plot_attention
from septet.view.canvas import Picture
from septet.view.confusion import plot_confusion
from septet.view.embedding import plot_embedding, principal_components
from septet.view.graphs import GraphView, graph
from septet.view.images import LoadedImage, load_image
from septet.view.learning_curves import curves, plot_curves
from septet.view.pictures import plot_predictions
from septet.view.weights import plot_filters, plot_histograms

__all__ = [
    "GraphView",
    "LoadedImage",
    "Picture",
    "activations",
    "curves",
    "graph",
    "load_image",
    "plot_activations",
    "plot_attention",
    "plot_confusion",
    "plot_curves",
    "plot_embedding",
    "plot_filters",
    "plot_histograms",
    "plot_predictions",
    "principal_components",
]
