"""The eleven basic colour names of English (Berlin & Kay 1969) for a photograph's pixels, from two published tables.

The achromatic part of R. Benavente, M. Vanrell and R. Baldrich, "Parametric fuzzy sets for automatic color naming",
J. Opt. Soc. Am. A 25 (2008), decides whether a pixel has a hue and, if not, whether it is black, grey or white. It has
its authors' parameters: in CIELAB, at each of six levels of lightness, colours in an ellipse around the axis have no
hue; grey begins and ends at two lightnesses.

A hue takes the name of the nearest colour, in CIELAB, in the survey that xkcd.com held among 222,500 people on their
own screens (R. Munroe, "Color survey results", 2010; CC0; 949 names, as matplotlib has them). Only colours whose last
word is a basic name of a hue count ("dusty rose pink", "dark sea green"): 528 of them.

Neither is enough alone: the model's hues were fitted to surfaces and call the red of a screen orange, and the survey
has only two whites and two blacks, so everything between would be grey.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int32, UInt8
    from scipy.spatial import KDTree

COLOR_NAMES = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")
"""The names, in the order that van de Weijer et al. 2009 and Network Dissection list them in."""

_PLACE = {name: place for place, name in enumerate(COLOR_NAMES)}
_NEUTRAL = ("black", "grey", "white")

_GREY = (28.2825, 79.6493)
"""Lightnesses at which grey begins and ends (Benavente et al.: where the sigmoids of two names meet)."""

_TOPS = (31, 42, 51, 66, 76)
"""Lightnesses at which each level but the last ends."""

_ELLIPSES = np.array(
    [  # centre a, centre b, half-axes, angle of the first (radian)
        (0.42420, 0.24936, 5.88940, 7.47432, 0.04051),
        (0.22956, 0.66319, 6.45705, 7.87255, 0.30702),
        (-0.11734, 0.51801, 5.38109, 6.98238, 0.34177),
        (-0.44317, 1.07592, 6.06366, 7.50205, 0.42845),
        (-0.56546, 1.16328, 5.36821, 6.90048, 0.43202),
        (-1.25643, 1.81438, 6.03990, 7.39319, -0.02082),
    ]
)
"""By level: the ellipse of the colours without a hue (Benavente et al., parameters of the elliptical sigmoid)."""

_SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _SRGB_TO_XYZ.sum(1)


def basic_colors(pixels: UInt8[np.ndarray, "*shape 3"]) -> Int32[np.ndarray, "*shape"]:
    """The index in ``COLOR_NAMES`` of each sRGB pixel's name."""
    lab = to_lab(pixels.reshape(-1, 3))
    neutrals = np.array([_PLACE[name] for name in _NEUTRAL])
    names = neutrals[np.searchsorted(_GREY, lab[:, 0])]
    hued = ~is_neutral(lab)
    tree, name_indices = _survey()
    names[hued] = name_indices[tree.query(lab[hued])[1]]
    return names.astype(np.int32).reshape(pixels.shape[:-1])


def is_neutral(lab: Float64[np.ndarray, "pixels 3"]) -> Bool[np.ndarray, " pixels"]:
    """Whether a colour has no hue: it lies in the ellipse of its level of lightness."""
    a, b, half_width, half_height, angle = _ELLIPSES[np.searchsorted(_TOPS, lab[:, 0])].T
    x, y = lab[:, 1] - a, lab[:, 2] - b
    u = (x * np.cos(angle) + y * np.sin(angle)) / half_width
    v = (y * np.cos(angle) - x * np.sin(angle)) / half_height
    return np.asarray(u**2 + v**2 <= 1)


def to_lab(pixels: UInt8[np.ndarray, "*shape 3"]) -> Float64[np.ndarray, "*shape 3"]:
    """CIELAB (CIE 1976, white D65) of 8-bit sRGB (IEC 61966-2-1)."""
    values = pixels / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratios = linear @ _SRGB_TO_XYZ.T / _WHITE
    roots = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def survey_colors() -> dict[str, tuple[UInt8[np.ndarray, " 3"], str]]:
    """The survey's colours with a basic name of a hue: sRGB and basic name, by full name."""
    from matplotlib.colors import XKCD_COLORS, to_rgb  # noqa: PLC0415 -- slow to import, and only colours need it

    hues = set(COLOR_NAMES) - set(_NEUTRAL)
    colors = {name.removeprefix("xkcd:"): np.array(to_rgb(code)) for name, code in XKCD_COLORS.items()}
    return {
        name: (np.round(255 * rgb).astype(np.uint8), name.split()[-1])
        for name, rgb in colors.items()
        if name.split()[-1] in hues
    }


@cache
def _survey() -> tuple[KDTree, Int32[np.ndarray, " colors"]]:
    """The survey's colours in CIELAB, and the indices of their basic names."""
    from scipy.spatial import KDTree  # noqa: PLC0415 -- as above

    colors = survey_colors().values()
    lab = to_lab(np.array([rgb for rgb, _ in colors]))
    return KDTree(lab), np.array([_PLACE[basic_name] for _, basic_name in colors], np.int32)
