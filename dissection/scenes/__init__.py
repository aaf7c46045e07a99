"""The generated world: scenes in which every pixel is known, and the network that was trained on them.

A scene depends only on a seed and its index, so a set can be extended and any part of it redrawn. Writing scenes
as concept data belongs in :mod:`dissection.concepts.generated`.
"""
