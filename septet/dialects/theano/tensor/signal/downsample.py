"""`theano.tensor.signal.downsample`: the old names of pooling."""

from septet.dialects.theano.tensor.signal.pool import Pool, max_pool_2d_same_size, pool_2d

max_pool_2d = pool_2d
DownsampleFactorMax = Pool

__all__ = ["DownsampleFactorMax", "max_pool_2d", "max_pool_2d_same_size"]
