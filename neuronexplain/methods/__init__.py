"""Explanations as maps over the image: Grad-CAM, its relatives and its rivals.

:data:`METHODS` holds them by name. Each takes a network, images and a target, and returns a map at the images'
resolution::

    maps = saliency(network, images, 207, method="guided-grad-cam")
"""

from .catalogue import METHODS, check_methods, find_method, saliency, watched
from .method import Method
from .targets import Target, at, probability, total

__all__ = [
    "METHODS",
    "Method",
    "Target",
    "at",
    "check_methods",
    "find_method",
    "probability",
    "saliency",
    "total",
    "watched",
]
