"""Scenes of two coloured things, with a caption and questions, and small networks that write and answer about them.

What stands where, and in which colour, does not depend on the place: a network that does not look cannot guess it.
"""
