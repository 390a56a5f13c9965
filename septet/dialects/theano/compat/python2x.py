"""`theano.compat.python2x`: names of old Pythons."""

from collections import Counter as Counter
from collections import OrderedDict as OrderedDict
from functools import partial as partial
from itertools import product as product
