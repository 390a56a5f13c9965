"""F7: learning curves, pages of predictions, image files. The extra ``septet[view]`` is needed by calls, not by the
import."""

from septet.view.curves import plot_curves
from septet.view.images import LoadedImage, load_image
from septet.view.pictures import plot_predictions

__all__ = ["LoadedImage", "load_image", "plot_curves", "plot_predictions"]
