"""`theano.sandbox.cuda.var`: variables on a GPU, which there are none of here."""

from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.sharing import SharedVariable


class CudaNdarrayVariable(Variable):
    """What programs ask variables for, to tell those on a GPU."""


class CudaNdarraySharedVariable(SharedVariable):
    """What programs ask shared variables for, to tell those on a GPU."""
