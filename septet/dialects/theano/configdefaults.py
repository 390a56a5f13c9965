"""`theano.config`: the settings that programs read and write. Those of the C compiler and of GPUs are kept and do nothing."""

from __future__ import annotations

import os
import platform
import struct
import sys
from collections.abc import Iterator
from contextlib import ContextDecorator
from typing import Any

import numpy as np

CHOICES: dict[str, tuple[Any, ...]] = {
    "floatX": ("float64", "float32", "float16"),
    "cast_policy": ("custom", "numpy+floatX"),
    "int_division": ("int", "raise", "floatX"),
    "compute_test_value": ("off", "ignore", "warn", "raise", "pdb"),
    "compute_test_value_opt": ("off", "ignore", "warn", "raise", "pdb"),
    "on_unused_input": ("raise", "warn", "ignore"),
    "exception_verbosity": ("low", "high"),
    "warn_float64": ("ignore", "warn", "raise", "pdb"),
}
"""Settings of which only some values exist."""

DEFAULTS: dict[str, Any] = {
    "floatX": "float64",
    "mode": "Mode",
    "cast_policy": "custom",
    "int_division": "int",
    "device": "cpu",
    "init_gpu_device": "",
    "force_device": False,
    "contexts": "",
    "warn_float64": "ignore",
    "compute_test_value": "off",
    "compute_test_value_opt": "off",
    "print_test_value": False,
    "on_unused_input": "raise",
    "exception_verbosity": "low",
    "optimizer": "fast_run",
    "optimizer_verbose": False,
    "optimizer_excluding": "",
    "optimizer_including": "",
    "optimizer_requiring": "",
    "linker": "cvm",
    "allow_gc": True,
    "lib.cnmem": 0.0,
    "lib.amdlibm": False,
    "openmp": False,
    "openmp_elemwise_minsize": 200000,
    "on_opt_error": "warn",
    "on_shape_error": "warn",
    "assert_no_cpu_op": "ignore",
    "unpickle_function": True,
    "reoptimize_unpickled_function": False,
    "allow_output_prealloc": False,
    "profile": False,
    "profile_memory": False,
    "profile_optimizer": False,
    "profiling.n_apply": 20,
    "profiling.n_ops": 20,
    "profiling.time_thunks": True,
    "profiling.destination": "stderr",
    "profiling.debugprint": False,
    "profiling.ignore_first_call": False,
    "profiling.min_memory_size": 1024,
    "profiling.min_peak_memory": False,
    "profiling.output_line_width": 512,
    "cxx": "llvm",
    "base_compiledir": os.path.expanduser("~/.theano"),
    "compiledir": "",
    "ctc.root": "",
    "deterministic": "default",
    "nocleanup": False,
    "traceback.limit": 8,
    "traceback.compile_limit": 0,
    "tensor.cmp_sloppy": 0,
    "tensor.local_elemwise_fusion": True,
    "tensor.insert_inplace_optimizer_validate_nb": -1,
    "experimental.local_alloc_elemwise": False,
    "experimental.local_alloc_elemwise_assert": True,
    "experimental.unpickle_gpu_on_cpu": False,
    "scan.allow_gc": False,
    "scan.allow_output_prealloc": True,
    "scan.debug": False,
    "pickle_test_value": True,
    "pycuda.init": False,
    "cuda.enabled": False,
    "cuda.root": "",
    "gpuarray.preallocate": 0.0,
    "dnn.enabled": "False",
    "dnn.conv.algo_fwd": "small",
    "dnn.conv.algo_bwd_filter": "none",
    "dnn.conv.algo_bwd_data": "none",
    "blas.ldflags": "openblas",
    "blas.check_openmp": True,
    "gcc.cxxflags": "",
    "cmodule.warn_no_version": False,
    "conv.assert_shape": False,
    "conv3d2d.assert_shape": False,
    "unittests.rseed": 666,
    "DebugMode.patience": 10,
    "DebugMode.check_c": False,
    "DebugMode.check_py": True,
    "DebugMode.check_finite": True,
    "DebugMode.check_strides": 0,
    "DebugMode.warn_input_not_reused": True,
    "DebugMode.check_preallocated_output": "",
    "DebugMode.check_preallocated_output_ndim": 4,
    "NanGuardMode.nan_is_error": True,
    "NanGuardMode.inf_is_error": True,
    "NanGuardMode.big_is_error": True,
    "numpy.seterr_all": "ignore",
    "numpy.seterr_divide": "None",
    "numpy.seterr_over": "None",
    "numpy.seterr_under": "None",
    "numpy.seterr_invalid": "None",
    "warn.ignore_bug_before": "0.9",
    "warn.argmax_pushdown_bug": False,
    "warn.gpusum_01_011_0111_bug": False,
    "warn.gpu_set_subtensor1": False,
    "warn.inc_set_subtensor1": False,
    "warn.round": False,
    "warn.reduce_join": False,
    "warn.sum_sum_bug": False,
    "warn.sum_div_dimshuffle_bug": False,
    "warn.subtensor_merge_bug": False,
    "warn.signal_conv2d_interface": False,
    "warn.vm_gc_bug": False,
    "ProfileMode.n_apply_to_print": 15,
    "ProfileMode.n_ops_to_print": 20,
    "hooks": "",
    "compile.timeout": 120,
    "compile.wait": 5,
    "cycle_detection": "regular",
    "check_stack_trace": "off",
    "enable_initial_driver_test": True,
    "gpu_options.deviceid": 0,
    "metaopt.verbose": 0,
    "optdb.max_use_ratio": 8.0,
    "optdb.position_cutoff": float("inf"),
    "print_active_device": True,
    "print_global_stats": False,
    "reoptimize": False,
    "sched": "default",
    "vm.lazy": None,
    "NanGuardMode.action": "raise",
    "cache_optimizations": False,
    "check_input": True,
    "compiledir_format": "",
    "cmodule.age_thresh_use": 2073600,
    "cmodule.compilation_warning": False,
    "cmodule.debug": False,
    "cmodule.preload_cache": False,
    "cmodule.remove_gxx_opt": False,
    "cuda.include_path": "",
    "dnn.base_path": "",
    "dnn.bin_path": "",
    "dnn.include_path": "",
    "dnn.library_path": "",
    "dnn.conv.algo_bwd": "guess_once",
    "dnn.conv.precision": "as_input_f32",
    "dnn.conv.workmem": "",
    "dnn.conv.workmem_bwd": "",
    "gpu.local_elemwise_fusion": True,
    "gpuarray.cache_path": "",
    "gpuarray.sched": "default",
    "gpuarray.single_stream": True,
    "gpuarray.sync": False,
    "gpuelemwise.sync": True,
    "magma.enabled": False,
    "magma.include_path": "",
    "magma.library_path": "",
    "metaopt.optimizer_excluding": "",
    "metaopt.optimizer_including": "",
    "warn.identify_1pexp_bug": False,
    "warn.inc_subtensor1_opt": False,
}


class Section:
    """The settings of one part, as attributes: ``config.unittests.rseed``."""

    def __init__(self, config: TheanoConfigParser, name: str) -> None:
        object.__setattr__(self, "_config", config)
        object.__setattr__(self, "_name", name)

    def __getattr__(self, name: str) -> Any:
        whole = f"{self._name}.{name}"
        if any(own.startswith(whole + ".") for own in self._config):
            return Section(self._config, whole)
        return self._config.get(whole)

    def __setattr__(self, name: str, value: Any) -> None:
        self._config.set(f"{self._name}.{name}", value)


class TheanoConfigParser:
    """The settings, as attributes.

    Beginning values come from the environment variable ``THEANO_FLAGS`` (``floatX=float32,mode=FAST_RUN``).
    """

    def __init__(self, flags: str) -> None:
        object.__setattr__(self, "_values", dict(DEFAULTS))
        object.__setattr__(self, "_sections", {name.split(".")[0] for name in DEFAULTS if "." in name})
        for part in flags.split(","):
            name, equals, text = part.strip().partition("=")
            if equals and name in DEFAULTS:
                self.set(name, _parsed(text, DEFAULTS[name]))
            elif equals and "." in name:
                self._values[name] = text

    def get(self, name: str) -> Any:
        """Return a setting by its whole name."""
        try:
            value = self._values[name]
        except KeyError:
            raise AttributeError(f"theano.config has no setting {name!r}") from None
        return value if name != "compiledir" else self._folder(value)

    def _folder(self, given: str) -> str:
        """Return the folder that programs may keep files of their own in, made when they first ask for it."""
        if not given:
            bits = struct.calcsize("P") * 8
            own = f"compiledir_{sys.platform}-{platform.machine()}-{platform.python_version()}-{bits}"
            given = os.path.join(os.path.expanduser(self._values["base_compiledir"]), own)
        folder = os.path.expanduser(given)
        os.makedirs(folder, exist_ok=True)
        return folder

    def set(self, name: str, value: Any) -> None:
        """Change a setting by its whole name."""
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"theano.config.{name} is one of {', '.join(map(str, CHOICES[name]))}; got {value!r}")
        if name == "device" and str(value) != "cpu":
            value = "cpu"  # programs ask for GPUs in their first lines; here they run on the CPU
        self._values[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Section(self, name) if name in self._sections and name not in self._values else self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __str__(self) -> str:
        return "\n".join(f"{name} = {value!r}" for name, value in sorted(self._values.items()))

    def change_flags(self, *args: Any, **words: Any) -> change_flags:
        """Return a context manager (or decorator) with other settings."""
        return change_flags(*args, **words)


def _parsed(text: str, like: Any) -> Any:
    """Return the value that a text means, in the type of another."""
    if isinstance(like, bool):
        return text.strip().lower() in ("1", "true", "yes")
    if isinstance(like, (int, float)):
        return type(like)(float(text))
    return text.strip()


class change_flags(ContextDecorator):
    """Other settings within a ``with`` block or a decorated function.

    Parameters
    ----------
    args : dict or tuple of (name, value), optional
    **kwargs
        Settings by name; a dot in the name is written ``__``.
    """

    def __init__(self, args: Any = (), **kwargs: Any) -> None:
        given = dict(args) | {name.replace("__", "."): value for name, value in kwargs.items()}
        for name in given:
            config.get(name)
        self._given = given

    def __enter__(self) -> change_flags:
        self._before = {name: config._values[name] for name in self._given}
        for name, value in self._given.items():
            config.set(name, value)
        return self

    def __exit__(self, *_: Any) -> None:
        for name, value in self._before.items():
            config.set(name, value)


config = TheanoConfigParser(os.environ.get("THEANO_FLAGS", ""))
THEANO_FLAGS_DICT: dict[str, Any] = {}


def python_int_bitwidth() -> int:
    """Return how many bits NumPy's default integer has."""
    return int(np.dtype(int).itemsize) * 8


def local_bitwidth() -> int:
    """Return how many bits an address has."""
    return struct.calcsize("P") * 8
