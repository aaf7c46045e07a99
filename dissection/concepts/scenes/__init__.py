"""Generated scenes: photographs of a small world, with pixel-exact labels in all six of Broden's categories.

A scene depends on a seed and its index alone, so a set can be extended, and any part of it drawn again::

    write_scenes(Path("scenes"), images=360)     # the Broden layout
    draw_scene(seed=0, index=7).photograph       # one of them
"""

from .canvas import LABELS, PHOTO
from .scene import THINGS, Box, Scene, draw_scene, scene_class
from .staged import Staging
from .words import CATEGORIES, CONCEPTS, PARTS_OF, SCENE_CLASSES
from .write import write_drawn, write_scenes

__all__ = [
    "CATEGORIES",
    "CONCEPTS",
    "LABELS",
    "PARTS_OF",
    "PHOTO",
    "SCENE_CLASSES",
    "THINGS",
    "Box",
    "Scene",
    "Staging",
    "draw_scene",
    "scene_class",
    "write_drawn",
    "write_scenes",
]
