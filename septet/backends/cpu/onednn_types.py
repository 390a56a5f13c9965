"""The C interface of oneDNN 3.2: the numbers of its enumerations, and the functions that are called."""

from __future__ import annotations

import ctypes
from typing import Any

Pointer, Integer, Size, Real = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_float
PointerTo = ctypes.POINTER(ctypes.c_void_p)

MAX_DIMS = 12
Dims = ctypes.c_int64 * MAX_DIMS

# dnnl_data_type_t
DTYPES = {"float16": 1, "bfloat16": 2, "float32": 3, "int32": 4, "int8": 5, "uint8": 6}

# dnnl_status_t
SUCCESS, UNIMPLEMENTED = 0, 3
STATUS = {
    1: "out of memory",
    2: "invalid arguments",
    3: "unimplemented",
    4: "no further implementation",
    5: "runtime error",
    6: "not required",
}

CPU = 1  # dnnl_engine_kind_t
IN_ORDER = 1  # dnnl_stream_flags_t
ANY_LAYOUT = 1  # dnnl_format_tag_any
USER_SCRATCHPAD = 1  # dnnl_scratchpad_mode_user

# dnnl_prop_kind_t
FORWARD_TRAINING, FORWARD_INFERENCE = 64, 96

# dnnl_alg_kind_t
CONVOLUTION_DIRECT = 1
RELU = 0x20
POOLING = {"max": 0x1FF, "average_with_padding": 0x2FF, "average": 0x3FF}

# dnnl_query_t
QUERY_IMPLEMENTATION = 8
QUERIES = {
    "x": 129,  # src
    "x_gradient": 130,
    "kernel": 131,  # weights
    "kernel_gradient": 132,
    "y": 133,  # dst
    "y_gradient": 134,
    "workspace": 135,
    "scratchpad": 136,
}
BIAS_INDEX = 1  # the bias is the second of the weights

# DNNL_ARG_*
ARGUMENTS = {
    "x": 1,
    "x_gradient": 129,
    "kernel": 33,
    "kernel_gradient": 161,
    "bias": 41,
    "bias_gradient": 169,
    "y": 17,
    "y_gradient": 145,
    "workspace": 64,
    "scratchpad": 80,
}


class Version(ctypes.Structure):
    """dnnl_version_t."""

    _fields_ = [
        ("major", Integer),
        ("minor", Integer),
        ("patch", Integer),
        ("hash", ctypes.c_char_p),
        ("cpu_runtime", ctypes.c_uint),
        ("gpu_runtime", ctypes.c_uint),
    ]


OPENMP_RUNTIME = 2  # DNNL_RUNTIME_OMP


class Argument(ctypes.Structure):
    """dnnl_exec_arg_t."""

    _fields_ = [("argument", Integer), ("memory", Pointer)]


_WINDOW = (Dims, Dims, Dims, Dims)  # strides, dilations, low and high padding

# name: (result, arguments); a result of None is a status that is checked
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "dnnl_version": (ctypes.POINTER(Version), ()),
    "dnnl_engine_create": (None, (PointerTo, Integer, Size)),
    "dnnl_stream_create": (None, (PointerTo, Pointer, ctypes.c_uint)),
    "dnnl_memory_desc_create_with_strides": (None, (PointerTo, Integer, Dims, Integer, Dims)),
    "dnnl_memory_desc_create_with_tag": (None, (PointerTo, Integer, Dims, Integer, Integer)),
    "dnnl_memory_desc_clone": (None, (PointerTo, Pointer)),
    "dnnl_memory_desc_destroy": (None, (Pointer,)),
    "dnnl_memory_desc_equal": (Integer, (Pointer, Pointer)),
    "dnnl_memory_desc_get_size": (Size, (Pointer,)),
    "dnnl_memory_create": (None, (PointerTo, Pointer, Pointer, Pointer)),
    "dnnl_memory_set_data_handle": (None, (Pointer, Pointer)),
    "dnnl_memory_destroy": (None, (Pointer,)),
    "dnnl_post_ops_create": (None, (PointerTo,)),
    "dnnl_post_ops_append_sum": (None, (Pointer, Real, ctypes.c_int32, Integer)),
    "dnnl_post_ops_append_eltwise": (None, (Pointer, Integer, Real, Real)),
    "dnnl_post_ops_destroy": (None, (Pointer,)),
    "dnnl_primitive_attr_create": (None, (PointerTo,)),
    "dnnl_primitive_attr_set_scratchpad_mode": (None, (Pointer, Integer)),
    "dnnl_primitive_attr_set_post_ops": (None, (Pointer, Pointer)),
    "dnnl_primitive_attr_destroy": (None, (Pointer,)),
    "dnnl_primitive_desc_query": (None, (Pointer, Integer, Integer, Pointer)),
    "dnnl_primitive_desc_query_md": (Pointer, (Pointer, Integer, Integer)),
    "dnnl_primitive_desc_destroy": (None, (Pointer,)),
    "dnnl_primitive_create": (None, (PointerTo, Pointer)),
    "dnnl_primitive_execute": (None, (Pointer, Pointer, Integer, Pointer)),
    "dnnl_primitive_destroy": (None, (Pointer,)),
    "dnnl_reorder_primitive_desc_create": (None, (PointerTo, Pointer, Pointer, Pointer, Pointer, Pointer)),
    "dnnl_convolution_forward_primitive_desc_create": (
        None,
        (PointerTo, Pointer, Integer, Integer, Pointer, Pointer, Pointer, Pointer, *_WINDOW, Pointer),
    ),
    "dnnl_convolution_backward_data_primitive_desc_create": (
        None,
        (PointerTo, Pointer, Integer, Pointer, Pointer, Pointer, *_WINDOW, Pointer, Pointer),
    ),
    "dnnl_convolution_backward_weights_primitive_desc_create": (
        None,
        (PointerTo, Pointer, Integer, Pointer, Pointer, Pointer, Pointer, *_WINDOW, Pointer, Pointer),
    ),
    "dnnl_pooling_forward_primitive_desc_create": (
        None,
        (PointerTo, Pointer, Integer, Integer, Pointer, Pointer, Dims, *_WINDOW, Pointer),
    ),
    "dnnl_pooling_backward_primitive_desc_create": (
        None,
        (PointerTo, Pointer, Integer, Pointer, Pointer, Dims, *_WINDOW, Pointer, Pointer),
    ),
    "dnnl_matmul_primitive_desc_create": (None, (PointerTo, Pointer, Pointer, Pointer, Pointer, Pointer, Pointer)),
}
