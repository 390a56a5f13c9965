"""`theano.sandbox`: what programs import from there."""
