"""Colours: the shades in which things are painted, and the basic colour term for a pixel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int32, UInt8

    from .dice import Dice

RGB: TypeAlias = tuple[int, int, int]

COLORS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
"""The eleven basic colour terms, as in Broden."""

SHADES = {
    "black": ("2f3136", "26282d", "3a3d44"),
    "blue": ("4a7fb5", "3566a3", "6fa3d2"),
    "brown": ("8a5a3a", "74492f", "9c6b45"),
    "green": ("5f9e52", "4a8a4f", "7db35e"),
    "grey": ("9aa0a4", "82898f", "b4b8ba"),
    "orange": ("e08a3c", "d9752b", "eb9f4c"),
    "pink": ("e396aa", "d97f98", "efb2c0"),
    "purple": ("8560a8", "6f4f94", "9d7bbd"),
    "red": ("c94540", "b23638", "d4584b"),
    "white": ("f4f1ea", "fdfcf8", "e9e7e0"),
    "yellow": ("f0c84b", "e8b93a", "f5d877"),
}
"""The shades of each colour in which things are painted."""

_OTHERS = {
    "black": ("000000", "16181d", "1f2420"),
    "blue": ("bcdcf0", "9cc4e4", "1d2a4a", "2c3f66", "3f8fa0", "7fc0d0", "101a38"),
    "brown": ("4a3020", "5f4630", "b58a60", "a67c52"),
    "green": ("2f4f36", "3f6b3f", "a6c87e", "88a35a", "1f3a2c", "6d7f45"),
    "grey": ("5c6066", "6e7378", "c6c9ca", "474b52", "a59f96"),
    "orange": ("f2b27a", "c9662a", "f0b060"),
    "pink": ("f7d0d0", "c86a86", "f0c4b4"),
    "purple": ("4d3a6a", "b8a0cc", "5f5280"),
    "red": ("8c2a2c", "a83028", "701f24"),
    "white": ("ffffff", "f0f4f6", "e2e6e8"),
    "yellow": ("e9d7a5", "f7e9b8", "d8b860", "dcc488"),
}


def rgb(code: str) -> RGB:
    """``c94540`` as red, green and blue."""
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def mix(base: RGB, addition: RGB, share: float) -> RGB:
    """``base`` with a share (0 to 1) of ``addition``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(base, addition, strict=True))
    return red, green, blue


def darker(color: RGB, share: float = 0.2) -> RGB:
    """The colour in the shade: towards a bluish black."""
    return mix(color, (16, 18, 38), share)


def lighter(color: RGB, share: float = 0.2) -> RGB:
    """The colour in the light: towards a warm white."""
    return mix(color, (255, 252, 240), share)


def shade(dice: Dice, *colors: str) -> RGB:
    """A shade of one of the named colours, or of all eleven if none is named."""
    color = rgb(dice.pick(SHADES[dice.pick(colors or COLORS)]))
    return darker(color, dice.between(0, 0.12)) if dice.chance(0.5) else lighter(color, dice.between(0, 0.12))


def name_colors(pixels: UInt8[np.ndarray, "h w 3"]) -> Int32[np.ndarray, "h w"]:
    """Index in ``COLORS`` of each pixel's colour term: that of the nearest known shade in CIELAB."""
    red, green, blue = (pixels[..., channel].astype(np.int32) >> 3 for channel in range(3))
    names: Int32[np.ndarray, "h w"] = _names()[(red << 10) | (green << 5) | blue]
    return names


@cache
def _names() -> Int32[np.ndarray, " codes"]:
    """Colour term of each of the 32x32x32 cells of the RGB cube."""
    known = [(term, rgb(code)) for term in COLORS for code in (*SHADES[term], *_OTHERS[term])]
    shades = _lab(np.array([color for _, color in known]))
    terms = np.array([COLORS.index(term) for term, _ in known], dtype=np.int32)
    cells = np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 8 + 4
    distances = np.square(_lab(cells)[:, None, :] - shades[None]).sum(axis=2)
    nearest: Int32[np.ndarray, " codes"] = terms[distances.argmin(axis=1)]
    return nearest


def _lab(colors: np.ndarray) -> np.ndarray:
    """SRGB (0 to 255) to CIELAB under D65."""
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
