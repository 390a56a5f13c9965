"""Names of the ops that Theano's optimizer puts in the places of others: here the others stay."""

from septet.dialects.theano.sparse.elementwise import AddSD, MulSD
from septet.dialects.theano.sparse.products import SamplingDot, StructuredDot, Usmm
from septet.dialects.theano.sparse.structure import CSMGrad

AddSD_ccode, MulSDCSC, MulSDCSR = AddSD, MulSD, MulSD
StructuredDotCSC = StructuredDotCSR = StructuredDot
UsmmCscDense, SamplingDotCSR, CSMGradC = Usmm, SamplingDot, CSMGrad
