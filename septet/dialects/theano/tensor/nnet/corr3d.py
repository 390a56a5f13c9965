"""`theano.tensor.nnet.corr3d`: correlation in three dimensions, and its gradients, as ops."""

from septet.dialects.theano.tensor.nnet.corr import correlations

Corr3dMM, Corr3dMM_gradWeights, Corr3dMM_gradInputs = correlations(3)
Corr3dMMGradWeights, Corr3dMMGradInputs = Corr3dMM_gradWeights, Corr3dMM_gradInputs
