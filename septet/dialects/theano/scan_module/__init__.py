"""Loops inside of graphs: `scan`, and what is written with it."""

from septet.dialects.theano.scan_module import scan_op, scan_utils, scan_views
from septet.dialects.theano.scan_module.scan import scan
from septet.dialects.theano.scan_module.scan_checkpoints import scan_checkpoints
from septet.dialects.theano.scan_module.scan_utils import clone, until
from septet.dialects.theano.scan_module.scan_views import foldl, foldr, map, reduce
