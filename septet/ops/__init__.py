"""F2: the cards, one file per family, and the composites made of them.

Importing this package registers the families that nearly every program uses and those whose ops are methods of tensors.
The others are imported when one of their names is first used, or an op that is not in the registry is asked for.
"""

from importlib import import_module

from septet.graph.op import set_rest
from septet.ops import (  # noqa: F401  (registration)
    assembling,
    call,
    cast,
    checks,
    compare,
    counting,
    creation,
    cumulative,
    diagonals,
    elementwise,
    gradient,
    indexing,
    keys,
    logic,
    matmul,
    matrices,
    reduce,
    resize,
    shaping,
    slicing,
    sorting,
    special,
    statistics,
    transcendental,
    updates,
)
from septet.ops.composite import activations  # noqa: F401

LATER = {
    "composite.attention": ("attention",),
    "composite.class_losses": (
        *("binary_cross_entropy", "binary_focal_loss", "cross_entropy", "hinge_loss", "multiclass_hinge_loss"),
        *("negative_log_likelihood", "squared_hinge_loss"),
    ),
    "composite.losses": (
        *("cosine_loss", "cosine_similarity", "gaussian_loss", "huber_loss", "kl_divergence", "log_cosh_loss"),
        *("margin_ranking_loss", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
        *("mean_squared_logarithmic_error", "poisson_loss", "quantile_loss", "smooth_l1_loss", "triplet_loss"),
    ),
    "composite.normalization": ("layer_norm", "moments", "normalize", "rms_norm"),
    "composite.recurrent": ("gru_cell", "lstm_cell", "rnn_cell"),
    "control": (),
    "conv": ("conv", "conv_transpose"),
    "custom": (),
    "decompositions": (),
    "einsum": ("einsum",),
    "fft": ("fft",),
    "gamma": (),
    "incomplete": ("gammainc", "gammaincc"),
    "io": (),
    "linalg": ("linalg",),
    "norms": ("linalg",),
    "pool": (
        *("adaptive_average_pool", "adaptive_max_pool", "average_pool", "global_average_pool", "global_max_pool"),
        *("max_pool", "sum_pool"),
    ),
    "random": (),
    "solvers": (),
}
"""The families that are imported later, with what they publish: functions of ``st``, and its namespaces."""


def load(name: str) -> None:
    """Import the families that publish a name."""
    for family, names in LATER.items():
        if name in names:
            import_module(f"septet.ops.{family}")


def load_all() -> None:
    """Import all families."""
    for family in LATER:
        import_module(f"septet.ops.{family}")


set_rest(load_all)
