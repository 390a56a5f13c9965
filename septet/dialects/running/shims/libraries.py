"""What SciPy, Pillow and matplotlib have lost, as far as old programs use it."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import numpy

from septet.base.errors import MissingDataError, NotSupportedError
from septet.dialects.running.lost_data import mnist_by_digit
from septet.dialects.running.notebooks import display
from septet.dialects.running.shims.shim import Change, Names, NewModule, Uses, Value, renamed_methods, replaced, resolve

__all__ = ["LIBRARIES"]


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("this needs Pillow; pip install 'septet[view]' installs it") from error
    return Image


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> numpy.ndarray:
    """Return an array stretched to whole numbers from `low` to `high`."""
    data = numpy.asarray(data)
    if data.dtype == numpy.uint8:
        return data
    least = data.min() if cmin is None else cmin
    spread = (data.max() if cmax is None else cmax) - least or 1
    scaled = (data - least) * ((high - low) / spread) + low
    return (scaled.clip(low, high) + 0.5).astype(numpy.uint8)


def toimage(arr: Any, high: int = 255, low: int = 0, cmin: Any = None, cmax: Any = None, **options: Any) -> Any:
    """Return an array (H, W), (H, W, C) or (C, H, W) as an image of Pillow."""
    data = numpy.asarray(arr)
    if data.ndim == 3 and data.shape[2] not in (3, 4) and data.shape[0] in (3, 4):
        data = data.transpose(1, 2, 0)
    if data.ndim not in (2, 3):
        raise ValueError(f"toimage: an image has 2 or 3 axes, received shape {data.shape}")
    return _pillow().fromarray(bytescale(data, cmin, cmax, high, low))


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> numpy.ndarray:
    """Read an image file as an array."""
    image = _pillow().open(name)
    if mode is not None:
        image = image.convert(mode)
    elif image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return numpy.array(image.convert("F") if flatten else image)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    """Write an array into an image file, stretched from its least to its largest value."""
    toimage(arr).save(name, format)


_WAYS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}  # Pillow's numbers


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> numpy.ndarray:
    """Return an image in another size: a percentage, a factor, or (height, width)."""
    image = toimage(arr)
    if isinstance(size, int | numpy.integer):
        size = size / 100.0
    if isinstance(size, float | numpy.floating):
        width, height = (int(numpy.array(image.size)[axis] * size) for axis in (0, 1))
    else:
        height, width = size[0], size[1]
    return numpy.array(image.resize((width, height), resample=_WAYS[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> numpy.ndarray:
    """Return an image turned about its middle."""
    return numpy.array(toimage(arr).rotate(angle, resample=_WAYS[interp]))


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product as SciPy did: of tensors of any rank, joined along their second axis."""
    parts = numpy.multiply.outer(numpy.asarray(a), numpy.asarray(b))
    return numpy.concatenate(numpy.concatenate(parts, axis=1), axis=1)


_MISC: Mapping[str, str | Value] = {
    "imread": Value(imread, "Pillow"),
    "imsave": Value(imsave, "Pillow"),
    "imresize": Value(imresize, "Pillow"),
    "imrotate": Value(imrotate, "Pillow"),
    "toimage": Value(toimage, "Pillow"),
    "fromimage": Value(lambda im, **options: numpy.array(im), "numpy.array"),
    "bytescale": Value(bytescale, "NumPy"),
    "logsumexp": "scipy.special:logsumexp",
    "comb": "scipy.special:comb",
    "factorial": "scipy.special:factorial",
    "face": "scipy.datasets:face",
    "ascent": "scipy.datasets:ascent",
    "derivative": "scipy.differentiate:derivative",
}


def _misc(uses: Uses) -> Mapping[str, Any]:
    def __getattr__(name: str) -> Any:
        if name not in _MISC:
            raise AttributeError(f"module 'scipy.misc' has no attribute {name!r}")
        uses.record(f"scipy.misc.{name}")
        return resolve(_MISC[name])

    return {"__getattr__": __getattr__}


def _weave(uses: Uses) -> Mapping[str, Any]:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise NotSupportedError(
            "scipy.weave compiled C++ that stands in the program, and is gone; it is not supported",
            hint="write the loop with NumPy, or as a function of tensors under st.compile",
        )

    return {"inline": refuse, "blitz": refuse, "ext_tools": refuse, "converters": refuse}


_OF_NUMPY = tuple(
    """
    array asarray zeros ones eye arange linspace dot exp log log10 sqrt sin cos tanh mean std sum prod float32
    float64 int32 newaxis pi inf nan vstack hstack where floor ceil
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)


_WINDOWS = ("gaussian", "hamming", "hann", "blackman", "boxcar", "triang", "bartlett", "kaiser", "tukey", "parzen")


def fetch_mldata(dataname: str, *args: Any, **kwargs: Any) -> Any:
    """Return ``"MNIST original"`` as mldata.org had it; it had others, and is gone.

    Raises
    ------
    MissingDataError
        When it is another data set.
    """
    if dataname.lower().replace("-", " ") != "mnist original":
        raise MissingDataError(f"fetch_mldata: mldata.org is gone, and with it {dataname!r}; known is 'MNIST original'")
    data, target = mnist_by_digit()
    bunch = pkgutil.resolve_name("sklearn.utils:Bunch")
    return bunch(data=data, target=target, COL_NAMES=["label", "data"], DESCR="mldata.org dataset: mnist-original")


def _folds(name: str, **renamed: str) -> type:
    """Return a divider of scikit-learn as it was: it was given what it divides, and was gone through."""

    class Folds:
        def __init__(self, given: Any, *args: Any, **options: Any) -> None:
            words = dict(zip(renamed, args, strict=False)) | options
            words = {renamed.get(word, word): value for word, value in words.items() if word != "indices"}
            self.divider = pkgutil.resolve_name(f"sklearn.model_selection:{name}")(**words)
            self.labels = numpy.zeros(given) if isinstance(given, int | numpy.integer) else numpy.asarray(given)

        def __iter__(self) -> Any:
            return self.divider.split(numpy.zeros(len(self.labels)), self.labels)

        def __len__(self) -> int:
            return self.divider.get_n_splits(self.labels)

    Folds.__name__ = Folds.__qualname__ = name
    return Folds


def _cross_validation(uses: Uses) -> Mapping[str, Any]:
    """``sklearn.cross_validation``."""
    folds = {"n_folds": "n_splits", "shuffle": "shuffle", "random_state": "random_state"}
    splits = {
        "n_iter": "n_splits",
        "test_size": "test_size",
        "train_size": "train_size",
        "random_state": "random_state",
    }
    return {
        **vars(pkgutil.resolve_name("sklearn.model_selection")),
        **{name: _folds(name, **folds) for name in ("KFold", "StratifiedKFold")},
        **{name: _folds(name, **splits) for name in ("ShuffleSplit", "StratifiedShuffleSplit")},
        "LeaveOneOut": _folds("LeaveOneOut"),
    }


def _parameters(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """A parameter that an estimator does not hold is None."""

    def get_params(self: Any, deep: bool = True) -> dict[str, Any]:
        found = {}
        for name in self._get_param_names():
            value = found[name] = getattr(self, name, None)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                found |= {f"{name}__{own}": each for own, each in value.get_params().items()}
        return found

    replaced(module.BaseEstimator, "get_params", get_params, stack)


class _Shown:
    """Something that a notebook would show as a picture."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args = args

    def __repr__(self) -> str:
        source = next((each for each in self.args if isinstance(each, str) and len(each) < 80), "")
        return f"<{type(self).__name__} {source}>"


def _display(uses: Uses) -> Mapping[str, Any]:
    names = ("Image", "SVG", "HTML", "Math", "Latex", "Markdown", "Audio", "Video", "YouTubeVideo", "IFrame")
    shown = {name: type(name, (_Shown,), {}) for name in names}
    return {**shown, "display": display, "clear_output": lambda wait=False: None}


def _ipython(uses: Uses) -> Mapping[str, Any]:
    version = (8, 24, 0)  # from there on matplotlib asks nothing more of IPython
    return {"get_ipython": lambda: None, "version_info": version, "__version__": ".".join(map(str, version))}


def _image_methods(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    renamed_methods(module, module.Image, {"tostring": "tobytes", "fromstring": "frombytes"}, uses, stack)


def _axes(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """Former methods of matplotlib's axes."""
    former = {"set_axis_bgcolor": "set_facecolor", "get_axis_bgcolor": "get_facecolor"}
    renamed_methods(module, module.Axes, former, uses, stack)
    if not hasattr(module.Axes, "hold"):
        replaced(module.Axes, "hold", lambda self, *args: uses.record("matplotlib.axes.Axes.hold"), stack)
    histogram = module.Axes.hist

    @functools.wraps(histogram)
    def hist(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "normed" in kwargs:
            uses.record("matplotlib.axes.Axes.hist(normed)")
            kwargs["density"] = kwargs.pop("normed")
        return histogram(self, *args, **kwargs)

    replaced(module.Axes, "hist", hist, stack)


LIBRARIES: list[Names | NewModule | Change] = [
    Names("scipy", "SciPy 1.12 to 2.0", {
        **{name: f"numpy:{name}" for name in _OF_NUMPY},
        "misc": "scipy.misc",
        "random": "numpy.random",
        "rand": "numpy.random:rand",
        "randn": "numpy.random:randn",
    }),
    Names("scipy.linalg", "SciPy 2.0", {"kron": Value(kron, "NumPy")}),
    Names("scipy.misc", "SciPy 1.3 to 2.0", _MISC),
    Names("scipy.signal", "SciPy 1.13", {
        **{name: f"scipy.signal.windows:{name}" for name in _WINDOWS}, "hanning": "scipy.signal.windows:hann",
    }),
    NewModule("scipy.misc", _misc, "Pillow and scipy.special"),
    NewModule("scipy.weave", _weave, "refused, with words"),
    NewModule("weave", _weave, "refused, with words"),
    Names(
        "PIL.Image",
        "Pillow 10",
        {
            "ANTIALIAS": Value(1, "LANCZOS"),
            "LINEAR": Value(2, "BILINEAR"),
            "CUBIC": Value(3, "BICUBIC"),
            "fromstring": "PIL.Image:frombytes",
        },
    ),
    *(NewModule(name, f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont", "ImageOps", "ImageFilter")),
    Change("PIL.Image", "PIL.Image.Image.tostring ...", "tobytes, frombytes", _image_methods),
    Names(
        "sklearn.datasets",
        "scikit-learn 0.22",
        {"fetch_mldata": Value(fetch_mldata, "MNIST's four files, of which st.data knows")},
    ),
    NewModule("sklearn.cross_validation", _cross_validation, "sklearn.model_selection, KFold(n, n_folds) ..."),
    Change("sklearn.base", "sklearn.base.BaseEstimator.get_params", "None for what is not held", _parameters),
    NewModule("sklearn.grid_search", "sklearn.model_selection"),
    NewModule("sklearn.externals.joblib", "joblib"),
    NewModule("IPython", _ipython, "its display, as text", is_package=True),
    NewModule("IPython.display", _display, "what a notebook shows, as text"),
    Names("matplotlib.pyplot", "matplotlib 3", {"hold": Value(lambda *args: None, "nothing")}),
    Names("matplotlib.mlab", "matplotlib 3.1", {"normpdf": Value(
        lambda x, mu, sigma: numpy.exp(-0.5 * ((x - mu) / sigma) ** 2) / (sigma * numpy.sqrt(2 * numpy.pi)),
        "the density of the normal distribution",
    )}),
    Change("matplotlib.axes", "matplotlib.axes.Axes.hold ...", "hist(normed=...), set_axis_bgcolor, hold", _axes),
]  # fmt: skip
