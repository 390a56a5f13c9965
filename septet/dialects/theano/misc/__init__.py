"""`theano.misc`: small helpers."""
