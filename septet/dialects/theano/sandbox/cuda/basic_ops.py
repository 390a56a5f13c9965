"""`theano.sandbox.cuda.basic_ops`: transfers, which leave tensors as they are."""

from septet.dialects.theano.gpuarray.basic_ops import gpu_contiguous, gpu_from_host, host_from_gpu

as_cuda_ndarray_variable = gpu_contiguous

__all__ = ["as_cuda_ndarray_variable", "gpu_contiguous", "gpu_from_host", "host_from_gpu"]
