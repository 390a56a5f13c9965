"""F7: training loops."""

from septet.io.checkpoints import read_checkpoint
from septet.train.boards import Curves, Report, TensorBoard
from septet.train.checkpoints import Checkpoints
from septet.train.extension import Extension
from septet.train.files import CSV, JsonLines, SaveWeights
from septet.train.fit import evaluate, fit, predict
from septet.train.log import History, Log, read_log
from septet.train.loop import Loop
from septet.train.measuring import LearningRate, Memory, Timing, Validation
from septet.train.monitor import Monitor, watch
from septet.train.progress import Progress
from septet.train.stopping import EarlyStopping, ObservePlateaus
from septet.train.trainer import Trainer

__all__ = [
    "CSV", "Checkpoints", "Curves", "EarlyStopping", "Extension", "History", "JsonLines", "LearningRate", "Log", "Loop",
    "Memory", "Monitor", "ObservePlateaus", "Progress", "Report", "SaveWeights", "TensorBoard", "Timing", "Trainer",
    "Validation", "evaluate", "fit", "predict", "read_checkpoint", "read_log", "watch",
]  # fmt: skip
