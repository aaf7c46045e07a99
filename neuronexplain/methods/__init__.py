"""Explanations as maps over the image: Grad-CAM, its relatives and its rivals.

:data:`METHODS` holds them by name. Each takes a network, images and a target, and gives a map at the resolution of the
images::

    maps = METHODS["guided-grad-cam"].maps(network, images, 207)
"""

from .catalogue import METHODS
from .method import Method
from .targets import Target, at, probability, total

__all__ = ["METHODS", "Method", "Target", "at", "probability", "total"]
