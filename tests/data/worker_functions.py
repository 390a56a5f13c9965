"""Functions and data sets that worker processes of the tests find by name."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy


def noisy(value, random):
    return numpy.full((3, 5), value) + random.normal(size=(3, 5)), f"text {value}"


def fail_at_seven(value):
    if value == 7:
        raise ValueError("seven")
    return value


class Unpicklable(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def fail_badly(value):
    raise Unpicklable(1, 2)


def die_at_five(value):
    if value == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def exit_at_five(value):
    if value == 5:
        sys.exit(3)
    return value


def hang_at_five(value):
    if value == 5:
        time.sleep(1000)
    return value


def stop_at_five(value):
    if value == 5:
        os.kill(os.getpid(), signal.SIGSTOP)
    return value


def process_number(value):
    return os.getpid(), value


class Lost:
    """A function that no other process can take."""

    def __call__(self, value):
        return value

    def __reduce__(self):
        return _only_here, (os.getpid(),)


def _only_here(pid):
    if os.getpid() != pid:
        raise ImportError("only in one process")
    return Lost()


class Numbers:
    """A data set that says where its samples come from."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index

    def where(self, index):
        return f"numbers.txt, line {index + 1}"
