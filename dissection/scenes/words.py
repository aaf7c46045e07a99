"""The vocabulary of the generated scenes: every concept and its number."""

from __future__ import annotations

from types import MappingProxyType

from dissection.vocabulary import Concept

from .paint import PATTERNS
from .palette import COLORS

SCENE_CLASSES = (
    "beach",
    "bedroom",
    "city",
    "desert",
    "farm",
    "forest",
    "harbour",
    "kitchen",
    "library",
    "mountain",
    "park",
    "street",
)
"""The classes of scenes, in the order of the network's outputs."""

PARTS_OF = MappingProxyType(
    {
        "ball": (),
        "barn": ("roof", "door", "window"),
        "bed": ("headboard", "pillow", "blanket", "leg"),
        "bench": ("seat", "backrest", "leg"),
        "bicycle": ("wheel", "saddle"),
        "bird": ("wing", "head"),
        "boat": ("hull", "sail", "mast"),
        "bookcase": ("shelf", "book"),
        "bus": ("wheel", "window", "headlight"),
        "bush": (),
        "cabin": ("roof", "door", "window", "chimney"),
        "cactus": ("arm", "blossom"),
        "camel": ("head", "leg", "hump"),
        "car": ("wheel", "window", "headlight"),
        "chair": ("seat", "backrest", "leg"),
        "cloud": (),
        "container": ("door",),
        "counter": ("worktop", "door", "handle"),
        "cow": ("head", "leg", "tail"),
        "crane": ("arm", "hook"),
        "cupboard": ("door", "handle"),
        "curtain": (),
        "deer": ("head", "leg", "antler"),
        "dog": ("head", "leg", "tail"),
        "duck": ("head", "wing", "beak"),
        "fence": ("post",),
        "field": (),
        "fir": ("trunk",),
        "floor": (),
        "flower": ("blossom", "stem"),
        "fridge": ("door", "handle"),
        "grass": (),
        "hay bale": (),
        "hill": (),
        "house": ("roof", "door", "window", "chimney"),
        "ladder": ("rung",),
        "lamp": ("lampshade", "stem"),
        "lighthouse": ("lantern", "door"),
        "moon": (),
        "mountain": ("snowcap",),
        "mushroom": ("cap", "stem"),
        "nightstand": ("drawer", "handle", "leg"),
        "painting": ("frame",),
        "palm": ("trunk", "frond"),
        "path": (),
        "person": ("head", "torso", "leg", "arm"),
        "pond": (),
        "pot": ("handle", "lid"),
        "quay": (),
        "road": (),
        "rock": (),
        "rug": (),
        "sand": (),
        "sea": (),
        "sheep": ("head", "leg"),
        "sidewalk": (),
        "sky": (),
        "skyscraper": ("window", "antenna"),
        "stove": ("oven door", "burner", "handle"),
        "streetlight": ("pole", "lantern"),
        "sun": (),
        "table": ("tabletop", "leg"),
        "towel": (),
        "tractor": ("wheel", "window", "exhaust pipe"),
        "tree": ("trunk", "crown"),
        "umbrella": ("canopy", "pole"),
        "wall": ("window",),
        "wardrobe": ("door", "handle"),
    }
)
"""Every object and the parts that it can have."""

MATERIALS = (
    "asphalt",
    "brick",
    "ceramic",
    "fabric",
    "foliage",
    "fur",
    "glass",
    "metal",
    "paper",
    "plaster",
    "plastic",
    "rubber",
    "sand",
    "skin",
    "snow",
    "soil",
    "stone",
    "straw",
    "tile",
    "water",
    "wood",
)

CATEGORIES: tuple[str, ...] = ("scene", "object", "part", "material", "texture", "color")
"""Broden's categories, in the order of their numbers."""

_NAMES = {
    "scene": tuple(f"{name}-s" for name in SCENE_CLASSES),
    "object": tuple(PARTS_OF),
    "part": tuple(sorted({part for parts in PARTS_OF.values() for part in parts})),
    "material": MATERIALS,
    "texture": tuple(PATTERNS),
    "color": tuple(f"{name}-c" for name in COLORS),
}

CONCEPTS = tuple(
    Concept(number, name, category)
    for number, (category, name) in enumerate(
        ((category, name) for category in CATEGORIES for name in _NAMES[category]), start=1
    )
)
"""Every concept; concept ``n`` is ``CONCEPTS[n - 1]``."""

_NUMBERS = {(concept.category, concept.name): concept.number for concept in CONCEPTS}


def number(category: str, name: str) -> int:
    """Label number of a concept; 0 if the name is empty.

    Raises:
        KeyError: if the vocabulary has no such concept.
    """
    return _NUMBERS[category, name] if name else 0
