"""F2: the cards, one file per family, and the composites made of them. Importing this package registers them all."""

from septet.ops import (  # noqa: F401  (registration)
    cast,
    compare,
    control,
    conv,
    elementwise,
    gamma,
    gradient,
    io,
    logic,
    matmul,
    pool,
    random,
    reduce,
    shaping,
    transcendental,
)
