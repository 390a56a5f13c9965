"""`theano.gpuarray`: there is no GPU here; what programs import from there works on the CPU where it means the same."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import asked
from septet.dialects.theano.gpuarray import basic_ops, dnn
from septet.dialects.theano.gpuarray.basic_ops import as_gpuarray_variable, gpu_contiguous

pygpu_activated = False

__getattr__ = asked(__name__)
