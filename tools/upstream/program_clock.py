"""Measure a program from inside: when its first training step is done, what compiling takes, how long a step is.

Imported before a program by what `tools/upstream` starts; runs on Python 3.6, too. A function of Theano with updates is
taken for a training function. The record is written to the file that ``UPSTREAM_CLOCK`` names; after ``UPSTREAM_STEPS``
training steps the program ends.
"""

import atexit
import json
import os
import time

import theano

STARTED = float(os.environ["UPSTREAM_START"])
MOST_STEPS = int(os.environ.get("UPSTREAM_STEPS", "0"))
RECORD = {"imported": time.time() - STARTED, "building": 0.0, "first_step": None, "last_step": None, "steps": 0}
FUNCTIONS = []
make_function = theano.function


class ClockedFunction:
    """A function of Theano whose calls are timed."""

    def __init__(self, function, is_training):
        self.__dict__.update(function=function, is_training=is_training, calls=0, first=0.0, rest=0.0)
        FUNCTIONS.append(self)

    def __call__(self, *arguments, **named):
        """Call the function."""
        started = time.time()
        result = self.function(*arguments, **named)
        ended = time.time()
        own = self.__dict__
        own["calls"] += 1
        own["first" if own["calls"] == 1 else "rest"] += ended - started
        if own["is_training"]:
            RECORD["steps"] += 1
            RECORD["last_step"] = ended - STARTED
            if RECORD["first_step"] is None:
                RECORD["first_step"] = ended - STARTED
            if MOST_STEPS and RECORD["steps"] >= MOST_STEPS:
                write()
                os._exit(0)
        return result

    def __getattr__(self, name):
        return getattr(self.__dict__["function"], name)


def clocked_function(*arguments, **named):
    """Make a function, and note how long that takes."""
    started = time.time()
    function = make_function(*arguments, **named)
    RECORD["building"] += time.time() - started
    updates = named.get("updates") or (arguments[3] if len(arguments) > 3 else None)
    return ClockedFunction(function, bool(updates))


def write():
    """Write the record: a first call that takes longer than later ones compiles."""
    warming = sum(max(f.first - f.rest / (f.calls - 1), 0.0) for f in FUNCTIONS if f.calls > 1)
    training = [f for f in FUNCTIONS if f.is_training and f.calls > 1]
    calls = sum(f.calls - 1 for f in training)
    record = dict(RECORD, warming=warming, functions=len(FUNCTIONS))
    record["call"] = sum(f.rest for f in training) / calls if calls else None
    with open(os.environ["UPSTREAM_CLOCK"], "w") as file:
        json.dump(record, file)


theano.function = clocked_function
atexit.register(write)
