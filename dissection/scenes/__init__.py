"""The generated world: a small land of scenes whose every pixel is known, and the network that was trained on it.

A scene depends on a seed and its index alone, so a set can be extended, and any part of it drawn again. Keeping scenes
as concept data belongs in :mod:`dissection.concepts.generated`.
"""
