"""F2: the cards, one file per family, and the composites made of them. Importing this package registers them all."""

from septet.ops import cast, control, conv, elementwise, gamma, io, pool, random, reduce, shaping  # noqa: F401  (registration)
