"""`theano.version`: which Theano this behaves as."""

version = full_version = short_version = "1.0.5"
git_revision = "f3bb5b755e"
release = True
