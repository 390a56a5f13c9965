"""F7: pictures of graphs, of learning, of predictions; image files. Calls need the extra ``septet[view]``, not the
import."""

from septet.view.curves import plot_curves
from septet.view.graphs import GraphView, graph
from septet.view.images import LoadedImage, load_image
from septet.view.pictures import plot_predictions

__all__ = ["GraphView", "LoadedImage", "graph", "load_image", "plot_curves", "plot_predictions"]
