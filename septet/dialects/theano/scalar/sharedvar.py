"""`theano.scalar.sharedvar`: shared numbers; they are tensors without axes."""

from septet.dialects.theano.tensor.sharedvar import ScalarSharedVariable as ScalarSharedVariable
from septet.dialects.theano.tensor.sharedvar import scalar_constructor as shared  # noqa: F401
