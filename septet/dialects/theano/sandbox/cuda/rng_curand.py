"""`theano.sandbox.cuda.rng_curand`: random streams, which are those of MRG31k3p here."""

from septet.dialects.theano.sandbox.rng_mrg import MRG_RandomStreams

CURAND_RandomStreams = MRG_RandomStreams
