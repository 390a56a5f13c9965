"""`theano.compile.io`: inputs and outputs of functions."""

from septet.dialects.theano.containers import Container as Container
from septet.dialects.theano.containers import In as In
from septet.dialects.theano.containers import Out as Out
from septet.dialects.theano.containers import SymbolicInput as SymbolicInput
from septet.dialects.theano.containers import SymbolicOutput as SymbolicOutput
