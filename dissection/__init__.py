"""Finds names: runs a network over photographs whose pixels are labelled, and names the units of its layers.

What keeps the names is :mod:`db`; what speaks of them is :mod:`neuronexplain`. Nothing here knows either.
"""
