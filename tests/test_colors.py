"""Colour names: focal colours, a slow version pixel by pixel, one name for every colour; and the datasets they make."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts import formats
from dissection.concepts.checking import check
from dissection.concepts.color_names import _ELLIPSES, COLOR_NAMES, basic_colors, survey_colors, to_lab
from dissection.concepts.conversion import convert
from dissection.concepts.layouts import open_concepts
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from pathlib import Path

SURVEY = survey_colors()
SURVEY_LAB = {name: to_lab(rgb).tolist() for name, (rgb, _) in SURVEY.items()}
FOCAL = {
    "black": [(0, 0, 0), (20, 20, 22)],
    "white": [(255, 255, 255), (240, 240, 240), (250, 248, 245)],
    "grey": [(128, 128, 128), (90, 92, 95), (170, 170, 170)],
    "red": [(200, 20, 30), (255, 0, 0), (140, 10, 20)],
    "green": [(0, 128, 0), (60, 140, 60), (0, 255, 0), (30, 60, 25)],
    "blue": [(30, 60, 180), (0, 0, 139), (135, 190, 235)],
    "yellow": [(255, 230, 0), (255, 255, 0)],
    "orange": [(255, 140, 0), (240, 120, 20)],
    "brown": [(101, 67, 33), (90, 60, 30)],
    "pink": [(255, 182, 193), (255, 150, 180)],
    "purple": [(128, 0, 128), (100, 50, 140)],
}


@pytest.mark.parametrize(("name", "colours"), FOCAL.items())
def test_focal_colours_have_their_names(name: str, colours: list[tuple[int, int, int]]) -> None:
    assert [COLOR_NAMES[place] for place in basic_colors(np.array(colours, np.uint8))] == [name] * len(colours)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_cielab_is_what_tables_of_it_say(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(to_lab(np.array(rgb, np.uint8)), lab, atol=0.03)


def slow_name(rgb: tuple[int, int, int]) -> str:
    """The rule of the module's docstring, for one pixel."""
    lightness, a, b = (float(value) for value in to_lab(np.array(rgb, np.uint8)))
    level = sum(lightness > top for top in (31, 42, 51, 66, 76))
    centre_a, centre_b, wide, high, turn = _ELLIPSES[level]
    radius, angle = math.hypot(a - centre_a, b - centre_b), math.atan2(b - centre_b, a - centre_a) - turn
    if (radius * math.cos(angle) / wide) ** 2 + (radius * math.sin(angle) / high) ** 2 <= 1:
        return "black" if lightness <= 28.2825 else "grey" if lightness <= 79.6493 else "white"
    distances = {name: math.dist(other, (lightness, a, b)) for name, other in SURVEY_LAB.items()}
    return SURVEY[min(distances, key=lambda name: distances[name])][1]


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=20))
def test_names_are_those_of_the_slow_version(colours: list[tuple[int, int, int]]) -> None:
    assert [COLOR_NAMES[place] for place in basic_colors(np.array(colours, np.uint8))] == [
        slow_name(rgb) for rgb in colours
    ]


def test_every_colour_has_exactly_one_name_and_every_name_is_used() -> None:
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    names = basic_colors(colours)
    assert names.shape == colours.shape[:-1]
    assert set(np.unique(names)) == set(range(len(COLOR_NAMES)))


def test_the_survey_is_the_published_one() -> None:
    assert len(SURVEY) == 528
    assert {name for _, name in SURVEY.values()} == set(COLOR_NAMES) - {"black", "grey", "white"}
    published = {
        "navy blue": "001146",
        "cornflower blue": "5170d7",
        "brick red": "8f1402",
        "olive brown": "645403",
    }
    assert {name: SURVEY[name][0].tobytes().hex() for name in published} == published


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "concepts.csv").write_text("number,name,category\n7,sky,object\n")
    (root / "LICENSE").write_text("free")
    photograph = np.zeros((8, 8, 3), np.uint8)
    photograph[:, :4], photograph[:, 4:] = (200, 20, 30), (0, 0, 139)
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 7
    for name in ("a", "b"):
        Image.fromarray(photograph).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    return root


def test_colours_are_added_to_a_dataset(plain: Path, tmp_path: Path) -> None:
    colors = formats.find_format("colors").open(plain, label_size=4)
    summary = convert(colors, tmp_path / "new", size=8, label_size=4, min_images=1)
    assert {total.category: (total.images, total.concepts, total.pixels) for total in summary.categories} == {
        "object": (2, 1, 16),
        "color": (2, 2, 32),
    }
    assert (summary.concepts, summary.dropped) == (3, ())
    assert check(tmp_path / "new") == []
    written = open_concepts(tmp_path / "new")
    number = {concept.name: number for number, concept in written.concepts.items()}
    sky, colours = written.labels(0).maps
    assert number["sky"] == 7
    np.testing.assert_array_equal(sky, [[7] * 4] * 2 + [[0] * 4] * 2)
    np.testing.assert_array_equal(colours, [[number["red"]] * 2 + [number["blue"]] * 2] * 4)
    assert (tmp_path / "new" / "LICENSE").read_text() == "free"
    with pytest.raises(ConceptDataError, match="labels colors already"):
        formats.find_format("colors").open(tmp_path / "new", label_size=4)


def test_masks_are_shrunk_once_to_the_size_asked_for(plain: Path) -> None:
    """128 is more than the plain layout's default of 112, which labels must not pass through."""
    mask = np.zeros((128, 128), np.uint8)
    mask[::2, 1::3] = 7
    for name in ("a", "b"):
        Image.fromarray(mask).save(plain / "masks" / f"{name}.png")
        Image.new("RGB", (128, 128), "red").save(plain / "images" / f"{name}.png")
    colors = formats.find_format("colors").open(plain, label_size=128)
    np.testing.assert_array_equal(colors.labels(0).maps[0], mask)
