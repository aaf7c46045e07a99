"""Pictures of the evidence, laid over the photograph.

Heat is shown in matplotlib's ``inferno``: its lightness rises evenly with the heat, so that it reads the same to
colour-blind people and in grey print, and cold is dark. Evidence for and against is shown in reversed ``coolwarm``:
blue for, red against, distinct for any kind of colour vision.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from dissection.errors import OutputError
from dissection.files.atomic import replace_file

if TYPE_CHECKING:
    import os

    from jaxtyping import Float32

    from neuronexplain.answer import MethodMap

COLORMAP = "inferno"
DIVERGING = "coolwarm_r"
OPACITY = 0.72
"""Opacity of the hottest place: the photograph's own edges still show through."""
SHADE = 0.28
"""Brightness of a photograph where a concept's units do not light up."""
BRIGHT = 99.5
"""Percentile of the magnitudes of a picture of pixels that is shown fully bright or dark."""
OUTLINE = (255, 214, 64)
PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def heatmap_image(heatmap: Float32[np.ndarray, "h w"], *, size: tuple[int, int]) -> Image.Image:
    """A heat map in colour, ``size`` (width, height) pixels, its maximum at the colormap's bright end."""
    return _coloured(_heat(heatmap, size))


def overlay(photograph: Image.Image, heatmap: Float32[np.ndarray, "h w"], *, opacity: float = OPACITY) -> Image.Image:
    """The heat map over the photograph, at the photograph's resolution.

    Each pixel is covered by ``opacity`` times its heat: cold ones show the photograph unchanged.
    """
    heat = _heat(heatmap, photograph.size)
    cover = Image.fromarray(np.rint(255 * opacity * heat).astype(np.uint8))
    return Image.composite(_coloured(heat), photograph.convert("RGB"), cover)


def signed_overlay(
    photograph: Image.Image, values: Float32[np.ndarray, "h w"], *, opacity: float = OPACITY
) -> Image.Image:
    """A map of both signs over the photograph, at its resolution: blue where it is positive, red where negative.

    Each pixel is covered by ``opacity`` times its magnitude, relative to the largest.
    """
    share = _share(_resized(values, photograph.size))
    cover = Image.fromarray(np.rint(255 * opacity * np.abs(share)).astype(np.uint8))
    return Image.composite(_coloured(0.5 + share / 2, DIVERGING), photograph.convert("RGB"), cover)


def pixel_picture(values: Float32[np.ndarray, "colours h w"], *, size: tuple[int, int]) -> Image.Image:
    """A value for each pixel and colour, ``size`` (width, height) pixels, grey where it is 0.

    Three colours are shown as colours; any other number is shown as its mean, in grey.
    """
    magnitudes = np.abs(values)
    scale = np.percentile(magnitudes, BRIGHT) or magnitudes.max() or 1.0
    planes = values if len(values) == 3 else np.repeat(values.mean(0, keepdims=True), 3, axis=0)
    brightness = np.clip(0.5 + planes / (2 * scale), 0, 1)
    return Image.fromarray(np.rint(255 * brightness.transpose(1, 2, 0)).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )


def method_picture(photograph: Image.Image, method_map: MethodMap) -> Image.Image:
    """A method's map over a photograph, drawn as its kind is."""
    if method_map.method.kind == "pixels":
        return pixel_picture(method_map.values, size=photograph.size)
    draw = signed_overlay if method_map.method.kind == "signed" else overlay
    return draw(photograph, method_map.values[0])


def concept_picture(photograph: Image.Image, mask: Float32[np.ndarray, "h w"]) -> Image.Image:
    """The photograph, darkened except where a concept's units light up.

    Args:
        photograph: the frame that ``mask`` covers.
        mask: how strongly the units respond; they are active where it exceeds 1.
    """
    bright = photograph.convert("RGB")
    lit = Image.fromarray(np.where(_resized(mask, photograph.size) > 1, 255, 0).astype(np.uint8))
    picture = Image.composite(bright, bright.point([round(SHADE * value) for value in range(256)] * 3), lit)
    picture.paste(OUTLINE, mask=_rim(lit))
    return picture


def side_by_side(photograph: Image.Image, overlaid: Image.Image) -> Image.Image:
    """Photograph and overlay as one picture, a white gap between them."""
    gap = max(2, photograph.width // 64)
    size = (photograph.width + gap + overlaid.width, max(photograph.height, overlaid.height))
    sheet = Image.new("RGB", size, "white")
    sheet.paste(photograph, (0, 0))
    sheet.paste(overlaid, (photograph.width + gap, 0))
    return sheet


def save_picture(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture in the format of its suffix, whole or not at all.

    Raises:
        OutputError: if the picture cannot be written; an earlier file stays as it was.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in PICTURE_FORMATS:
        raise OutputError(f"cannot write {path}: {suffix or 'no suffix'!r}; use one of {', '.join(PICTURE_FORMATS)}")
    encoded = BytesIO()
    image.save(encoded, PICTURE_FORMATS[suffix])
    replace_file(path, encoded.getvalue())


def _heat(heatmap: Float32[np.ndarray, "h w"], size: tuple[int, int]) -> Float32[np.ndarray, "height width"]:
    """Upsampled and divided by its maximum; a map without heat stays 0."""
    heat = _resized(heatmap, size)
    peak = heat.max()
    return heat / peak if peak > 0 else np.zeros_like(heat)


def _share(values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Divided by the largest magnitude; a map of zeros stays 0."""
    peak = np.abs(values).max()
    return values / peak if peak > 0 else values


def _resized(values: Float32[np.ndarray, "h w"], size: tuple[int, int]) -> Float32[np.ndarray, "height width"]:
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def _coloured(heat: Float32[np.ndarray, "h w"], colours: str = COLORMAP) -> Image.Image:
    from matplotlib import colormaps  # noqa: PLC0415 - slow to import, and not every command draws

    return Image.fromarray(colormaps[colours](heat, bytes=True)[..., :3])


def _rim(lit: Image.Image) -> Image.Image:
    """A thin line around the lit region, on its dark side, where the line always stands out."""
    width = max(1, round(max(lit.size) / 128))
    grown = lit.filter(ImageFilter.BoxBlur(width)).point(lambda value: 255 if value else 0)
    return ImageChops.subtract(grown, lit)
