"""F8: other systems' Python interfaces on Septet's graph, and what runs their old programs unmodified.

``import septet.dialects.theano as theano`` is plain Python. ``septet run SCRIPT`` (or ``python -m septet.dialects
SCRIPT``) runs a program that says ``import theano``, with the `running` folder's help.
"""
