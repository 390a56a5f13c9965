"""What an experiment may say: every section and key, with its kind, its default and the values allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import septet as st
from septet.base.errors import SettingError
from septet.base.text import did_you_mean
from septet.cli import recipes

Locate = Callable[[tuple[str, ...]], str]
"""From the path of a section or key to where it stands: ``photos.toml, line 3``."""


class Key(NamedTuple):
    """One key of a section.

    Attributes
    ----------
    kind : type or tuple of types
    about : str
        What it is for, for people.
    default : object
        None stands for "not given".
    choices : sequence of str
        The only values allowed.
    least, most : float or None
        Limits of a number; they are allowed themselves.
    """

    kind: type | tuple[type, ...]
    about: str
    default: Any = None
    choices: Sequence[str] = ()
    least: float | None = None
    most: float | None = None

    def allowed(self) -> str:
        """Say what is allowed."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        kinds = self.kind if isinstance(self.kind, tuple) else (self.kind,)
        text = " or ".join(_KINDS[kind] for kind in kinds)
        if self.least is not None and self.most is not None:
            return f"{text} from {self.least:g} to {self.most:g}"
        return text + ("" if self.least is None else f" of at least {self.least:g}")

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is allowed."""
        kinds = self.kind if isinstance(self.kind, tuple) else (self.kind,)
        if isinstance(value, bool) and bool not in kinds:
            return False
        if not isinstance(value, kinds) and not (float in kinds and isinstance(value, int)):
            return False
        if list in kinds and isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return False
        if self.choices and value not in self.choices:
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


_KINDS = {int: "an integer", float: "a number", str: "text", bool: "true or false", list: "a list of texts"}

SECTIONS: dict[str, dict[str, Key]] = {
    "data": {
        "name": Key(str, "a data set that Septet knows", choices=recipes.SETS),
        "folder": Key(str, "a folder of images, a sub-folder for each class; or the files of a named data set"),
        "table": Key(str, "a CSV file with a class or a number in one column"),
        "target": Key(str, "the column with the class or number; by default the last one"),
        "size": Key(int, "the side of images in pixels", least=8, most=1024),
        "augment": Key(bool, "train on images of a folder that are moved and mirrored by chance", True),
        "skip_damaged": Key(bool, "leave out images of a folder that cannot be read", False),
        "held_out": Key(float, "the share that is kept for testing", 0.2, least=0.01, most=0.9),
        "limit": Key(int, "train on this many examples only", least=1),
    },
    "model": {
        "name": Key(str, "a network that Septet knows", choices=tuple(recipes.NETWORKS)),
        "layers": Key(list, "layers in a row, as they are written in Python"),
    },
    "optimizer": {
        "name": Key(str, "the optimizer", "adam", choices=tuple(st.optim.OPTIMIZERS)),
        "learning_rate": Key(float, "the size of its steps", least=0),
        "weight_decay": Key(float, "how strongly weights are pulled to zero", least=0),
    },
    "schedule": {
        "name": Key(str, "how the learning rate changes", choices=("constant", "cosine", "step", "exponential")),
        "warmup": Key(float, "epochs in which the learning rate grows from zero", 0, least=0),
        "every": Key(float, "epochs from step to step, of step and exponential", 10, least=0.01),
        "factor": Key(float, "what the learning rate is multiplied by in a step", 0.3, least=0.0001, most=1),
    },
    "training": {
        "epochs": Key(int, "passes over the data", least=1),
        "batch_size": Key(int, "examples in a step", 32, least=1),
        "seed": Key(int, "of the first weights and the order of the data", 0, least=0, most=2**63),
        "style": Key(str, "how the training is written", "fit", choices=recipes.STYLES),
        "patience": Key(int, "stop when the held-out loss has not fallen for so many epochs", least=1),
        "out": Key(str, "the folder for what is made"),
    },
    "extensions": {
        "checkpoints": Key(bool, "keep what `--resume` goes on from", True),
        "tensorboard": Key(bool, "write event files, which `septet board` shows", True),
        "report": Key(bool, "write a page with the curves of all values while training", True),
        "monitor": Key(bool, "log norms and histograms of weights and gradients", False),
    },
}


def complete(values: Mapping[str, Any], locate: Locate) -> dict[str, dict[str, Any]]:
    """Check an experiment and fill in the defaults.

    Parameters
    ----------
    values : mapping of sections
    locate : callable
        Says where a path of keys stands.

    Raises
    ------
    SettingError
        For the first section, key or value that is not allowed; it names the place, what was found and what is allowed.
    """
    for name, section in values.items():
        if name not in SECTIONS:
            raise SettingError(
                f"{locate((name,))}: there is no section {name!r}.{did_you_mean(name, SECTIONS)} "
                f"The sections are {', '.join(SECTIONS)}"
            )
        if not isinstance(section, Mapping):
            raise SettingError(
                f"{locate((name,))}: {name!r} is a section with keys ({', '.join(SECTIONS[name])}), not {section!r}"
            )
        for key, value in section.items():
            check_value(name, key, value, locate)
    return {
        name: {key: values.get(name, {}).get(key, entry.default) for key, entry in keys.items()}
        for name, keys in SECTIONS.items()
    }


def check_value(section: str, key: str, value: Any, locate: Locate) -> None:
    """Raise where a key does not exist or has a value that is not allowed."""
    keys = SECTIONS[section]
    if key not in keys:
        raise SettingError(
            f"{locate((section, key))}: {section} has no key {key!r}.{did_you_mean(key, keys)} "
            f"The keys are {', '.join(keys)}"
        )
    if not keys[key].accepts(value):
        hint = did_you_mean(value, keys[key].choices) if isinstance(value, str) and keys[key].choices else ""
        raise SettingError(
            f"{locate((section, key))}: {section}.{key} must be {keys[key].allowed()}, not {value!r}.{hint}"
        )
