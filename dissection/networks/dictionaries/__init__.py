"""Dictionaries: features of a layer as combinations of its units, and networks that are read feature by feature.

A unit may stand for several things at once. A dictionary takes a map ``A`` apart into more features, each of which
stands for less: ``z = f(A)`` at each place, ``A = decode(z) + residual``. :mod:`.dictionary` is the value,
:mod:`.applying` lets a network run through it, :mod:`.folders` reads and writes what others learned, and
:mod:`dissection.learning` learns.
"""
