"""`theano.tests`: helpers that tests of programs import."""
