"""F7: training loops."""

from septet.train.callbacks import Callback, EarlyStopping, JsonLines, SaveWeights
from septet.train.fit import Trainer, evaluate, fit, predict
from septet.train.loop import History, run_epochs

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "JsonLines",
    "SaveWeights",
    "Trainer",
    "evaluate",
    "fit",
    "predict",
    "run_epochs",
]
