"""`theano.tensor.type`: the type of tensors."""

from septet.dialects.theano.tensortype import TensorType as TensorType
