"""What Lasagne added to Theano: padding, and one-dimensional convolutions in several ways."""
