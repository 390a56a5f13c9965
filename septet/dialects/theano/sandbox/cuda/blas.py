"""`theano.sandbox.cuda.blas`: correlations, computed on the CPU."""

from septet.dialects.theano.tensor.nnet.corr import CorrMM, CorrMM_gradInputs, CorrMM_gradWeights
from septet.dialects.theano.tensor.nnet.corr3d import Corr3dMM

GpuCorrMM, GpuCorrMM_gradInputs, GpuCorrMM_gradWeights, GpuCorr3dMM = CorrMM, CorrMM_gradInputs, CorrMM_gradWeights, Corr3dMM  # fmt: skip
