"""Ground truth: photographs whose objects are known, matched to a network's classes."""

from .opening import Kind, open_ground
from .truth import Annotated, Ground, Objects, Place

__all__ = ["Annotated", "Ground", "Kind", "Objects", "Place", "open_ground"]
