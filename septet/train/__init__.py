"""F7: training loops."""

from septet.train.fit import History, Trainer, evaluate, fit, predict

__all__ = ["History", "Trainer", "evaluate", "fit", "predict"]
