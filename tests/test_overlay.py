"""Pictures: arithmetic by hand on a few pixels, and files that are written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import colormaps
from PIL import Image

from dissection.errors import OutputError
from neuronexplain.answer import MethodMap
from neuronexplain.methods import METHODS
from neuronexplain.pictures.overlay import (
    BRIGHT,
    COLORMAP,
    DIVERGING,
    OUTLINE,
    SHADE,
    concept_picture,
    heatmap_image,
    method_picture,
    overlay,
    pixel_picture,
    save_picture,
    side_by_side,
    signed_overlay,
)

GREY = (200, 120, 40)
HOT = np.array(colormaps[COLORMAP](1.0)[:3]) * 255
COLD = np.array(colormaps[COLORMAP](0.0)[:3]) * 255


def photograph(width: int = 4, height: int = 2) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def left_hot(height: int = 2, width: int = 4, peak: float = 3.5) -> np.ndarray:
    heatmap = np.zeros((height, width), np.float32)
    heatmap[:, 0] = peak
    return heatmap


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_the_hottest_place_is_the_colormaps_end_blended_by_the_opacity(opacity: float) -> None:
    pixels = np.asarray(overlay(photograph(), left_hot(), opacity=opacity)).astype(float)
    assert np.abs(pixels[:, 0] - (opacity * HOT + (1 - opacity) * np.array(GREY))).max() <= 1


def test_a_cold_place_is_the_photograph_unchanged() -> None:
    pixels = np.asarray(overlay(photograph(), left_hot()))
    assert (pixels[:, 1:] == GREY).all()


def test_half_the_heat_covers_half_as_much() -> None:
    heatmap = np.array([[2.0, 1.0]], np.float32)
    pixel = np.asarray(overlay(photograph(2, 1), heatmap, opacity=0.8)).astype(float)[0, 1]
    half = np.array(colormaps[COLORMAP](0.5)[:3]) * 255
    assert np.abs(pixel - (0.4 * half + 0.6 * np.array(GREY))).max() <= 1.5


def test_a_signed_map_is_blue_for_and_red_against_by_its_magnitude() -> None:
    values = np.array([[2.0, 1.0, 0.0, -2.0]], np.float32)
    pixels = np.asarray(signed_overlay(photograph(4, 1), values, opacity=0.8)).astype(float)[0]
    for pixel, value in zip(pixels, values[0] / 2, strict=True):
        colour, cover = np.array(colormaps[DIVERGING](0.5 + value / 2)[:3]) * 255, 0.8 * abs(value)
        assert np.abs(pixel - (cover * colour + (1 - cover) * np.array(GREY))).max() <= 1.5
    (red, _, blue), (other_red, _, other_blue) = pixels[0], pixels[3]
    assert blue > red
    assert other_red > other_blue


def test_a_signed_map_of_nothing_is_the_photograph() -> None:
    assert signed_overlay(photograph(), np.zeros((2, 4), np.float32)).tobytes() == photograph().tobytes()


def test_a_picture_of_pixels_is_grey_where_they_are_0_and_keeps_colours() -> None:
    values = np.zeros((3, 1, 4), np.float32)
    values[0, 0, 1], values[:, 0, 2], values[:, 0, 3] = 5, 5, -5
    assert BRIGHT > 75
    pixels = np.asarray(pixel_picture(values, size=(4, 1)))[0]
    assert pixels.tolist() == [[128] * 3, [255, 128, 128], [255] * 3, [0] * 3]
    assert pixel_picture(np.zeros((3, 2, 4), np.float32), size=(8, 6)).getcolors() == [(48, (128, 128, 128))]
    grey = np.asarray(pixel_picture(np.array([[[1.0, -1.0]], [[1.0, 1.0]]], np.float32), size=(2, 1)))[0]
    assert grey.tolist() == [[255] * 3, [128] * 3]


def test_pixels_that_are_rare_and_small_are_seen_all_the_same() -> None:
    values = np.zeros((3, 50, 50), np.float32)
    values[:, 20, 20] = 1e-9
    extremes = pixel_picture(values, size=(50, 50)).getextrema()
    assert extremes == ((128, 255),) * 3


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_kind_of_map_has_a_picture_of_the_photographs_size(method) -> None:
    layers = 3 if method.kind == "pixels" else 1
    values = np.random.default_rng(0).standard_normal((layers, 5, 5)).astype(np.float32)
    picture = method_picture(photograph(30, 20), MethodMap(method, abs(values) if method.kind == "heat" else values))
    assert picture.size == (30, 20)
    assert len(picture.getcolors(600)) > 20


def test_an_overlay_has_the_photographs_own_resolution_and_leaves_it_alone() -> None:
    original = photograph(30, 20)
    assert overlay(original, left_hot()).size == (30, 20)
    assert np.asarray(original).reshape(-1, 3).tolist() == [list(GREY)] * 600


def bilinear(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear upsampling with half-pixel centres, clamped at the border, pixel by pixel."""
    (rows, columns), (width, height) = values.shape, size
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            v = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            u = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            i, j = min(int(v), max(rows - 2, 0)), min(int(u), max(columns - 2, 0))
            below, right = min(i + 1, rows - 1), min(j + 1, columns - 1)
            upper = values[i, j] * (1 - (u - j)) + values[i, right] * (u - j)
            lower = values[below, j] * (1 - (u - j)) + values[below, right] * (u - j)
            result[y, x] = upper * (1 - (v - i)) + lower * (v - i)
    return result


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 100, width=32)))
def test_a_heat_map_is_upsampled_bilinearly_and_divided_by_its_maximum(heatmap: np.ndarray) -> None:
    picture = np.asarray(heatmap_image(heatmap, size=(12, 9))).astype(int)
    heat = bilinear(heatmap.astype(float), (12, 9))
    expected = colormaps[COLORMAP](heat / heat.max() if heat.max() > 0 else heat, bytes=True)[..., :3].astype(int)
    assert np.abs(picture - expected).max() <= 8  # one step of the colormap


def test_a_map_without_heat_is_flat_and_dark_and_covers_nothing() -> None:
    empty = np.zeros((3, 3), np.float32)
    assert np.abs(np.asarray(heatmap_image(empty, size=(8, 8))) - COLD).max() <= 1
    assert overlay(photograph(), empty).tobytes() == photograph().tobytes()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_photographs_in_other_modes_become_rgb(mode: str) -> None:
    other = photograph(16, 16).convert(mode)
    assert overlay(other, left_hot()).mode == concept_picture(other, left_hot()).mode == "RGB"


def test_a_concepts_place_is_bright_its_rim_outlined_and_the_rest_dark() -> None:
    mask = np.full((40, 40), 0.99, np.float32)
    mask[:, :20] = 1.01
    pixels = np.asarray(concept_picture(photograph(40, 40), mask))
    assert (pixels[:, :20] == GREY).all()
    assert (pixels[:, 20] == OUTLINE).all()
    assert (pixels[:, 21:] == [round(SHADE * value) for value in GREY]).all()


def test_exactly_the_threshold_does_not_light() -> None:
    pixels = np.asarray(concept_picture(photograph(8, 8), np.ones((8, 8), np.float32)))
    assert (pixels == [round(SHADE * value) for value in GREY]).all()


def test_a_concept_that_lights_everywhere_shows_the_photograph() -> None:
    picture = concept_picture(photograph(8, 8), np.full((2, 2), 7, np.float32))
    assert picture.tobytes() == photograph(8, 8).tobytes()


def test_side_by_side_is_photograph_gap_overlay() -> None:
    right = Image.new("RGB", (4, 2), "blue")
    pixels = np.asarray(side_by_side(photograph(), right))
    assert (pixels[:, :4] == GREY).all()
    assert (pixels[:, 4:6] == 255).all()
    assert (pixels[:, 6:] == (0, 0, 255)).all()
    assert pixels.shape == (2, 10, 3)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg", ".webp"])
def test_a_picture_is_saved_in_the_format_of_its_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    save_picture(photograph(), path)
    with Image.open(path) as picture:
        assert picture.size == (4, 2)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_an_unknown_suffix_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.gif.*use one of \.png"):
        save_picture(photograph(), tmp_path / "picture.gif")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*No such file") as caught:
        save_picture(photograph(), tmp_path / "nowhere" / "picture.png")
    assert "\n" not in str(caught.value)


def test_a_name_taken_by_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "picture.png").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        save_picture(photograph(), tmp_path / "picture.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"before")

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((OutputError, KeyboardInterrupt)):
        save_picture(photograph(), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
