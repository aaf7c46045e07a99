"""ADE20K in its three layouts, each pixel compared with the codes that were written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from published import SIZE, halves, nearest, write_ade_2016, write_ade_2021, write_codes, write_scene_parsing

from dissection.concepts.conversion import convert
from dissection.concepts.formats.ade20k import Ade20k, open_ade20k
from dissection.concepts.formats.shared.scene_parsing import SceneParsing
from dissection.concepts.layouts import open_concepts
from dissection.errors import ConceptDataError
from neuronexplain.concept_words import find_concept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = [f"thing {code}" for code in range(1, 601)]
NAMES[0:3] = ["door, double door", "wheel", "plant, flora"]
NAMES[512] = "plant, works"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    images = {
        "training/a/abbey/ADE_train_00000001": [halves(1, 600), halves(0, 2), halves(0, 3)],
        "training/b/bakery/shop/ADE_train_00000010": [halves(0, 3)],
        "validation/m/misc/ADE_val_00000001": [halves(513, 513)],
        "validation/a/airplane_cabin/ADE_val_00000002": [halves(2, 2)],
        "training/outliers/ADE_train_00000002": [halves(2, 2)],
    }
    return write_ade_2016(tmp_path / "ADE20K_2016_07_26", NAMES, images)


def said(dataset: Any, index: int) -> list[list[tuple[str, str] | None]]:
    """The labels at both ends of each label map's middle row, and those of the whole image."""
    labels = dataset.labels(index)
    concepts = {number: (each.category, each.name) for number, each in dataset.concepts.items()}
    rows = [[concepts.get(int(layer[2, column])) for column in (0, -1)] for layer in labels.maps]
    return [*rows, [concepts[number] for number in labels.whole]]


def test_the_release_of_2016(old: Path) -> None:
    dataset = open_ade20k(old.parent, label_size=4)
    assert isinstance(dataset, Ade20k)
    assert dataset.name == "ADE20K_2016_07_26"
    assert dataset.categories == ("object", "part", "scene")
    assert [dataset.image_name(index) for index in range(len(dataset))] == [
        "training/a/abbey/ADE_train_00000001.jpg",
        "training/b/bakery/shop/ADE_train_00000010.jpg",
        "training/outliers/ADE_train_00000002.jpg",
        "validation/a/airplane_cabin/ADE_val_00000002.jpg",
        "validation/m/misc/ADE_val_00000001.jpg",
    ]
    assert said(dataset, 0) == [
        [("object", "door"), ("object", "thing 600")],
        [None, ("part", "wheel")],
        [None, ("part", "plant")],
        [("scene", "abbey")],
    ]
    assert said(dataset, 1) == [[None, ("object", "plant")], [("scene", "bakery shop")]]
    assert said(dataset, 2)[-1] == []
    assert said(dataset, 3) == [[("object", "wheel")] * 2, [("scene", "airplane cabin")]]
    assert said(dataset, 4) == [[("object", "plant (works)")] * 2, []]
    door = next(number for number, each in dataset.concepts.items() if each.name == "door")
    assert dataset.synonyms[door] == ("double door",)
    convert(dataset, old / "new", size=8, label_size=4, min_images=0)
    written = open_concepts(old / "new")
    assert find_concept(written, "double door", category="object") == dataset.concepts[door]
    assert [file.name[19:] for file in dataset.files(0)] == ["jpg", "seg.png", "parts_1.png", "parts_2.png"]
    assert dataset.notes["ATTRIBUTION.txt"].startswith(b"ADE20K (Zhou")


def test_every_pixel_is_the_one_under_the_centre(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 601, SIZE)
    root = write_ade_2016(tmp_path / "ade", NAMES, {"training/a/abbey/x": [codes]})
    dataset = Ade20k(root, label_size=5)
    names = {number: each.name for number, each in dataset.concepts.items()}
    plain = [name.split(",")[0] if code != 513 else "plant (works)" for code, name in enumerate(NAMES, start=1)]
    for got, wanted in zip(dataset.labels(0).maps[0].tolist(), nearest(codes, 5), strict=True):
        assert [names.get(number) for number in got] == [plain[code - 1] if code else None for code in wanted]


def test_the_release_of_2021(tmp_path: Path) -> None:
    root = write_ade_2021(
        tmp_path / "ADE20K_2021_17_01",
        {401: "car, auto", 3050: "window", 7: "wheel"},
        {
            "ADE/training/urban/street/ADE_train_00016869": [halves(401, 3050), halves(7, 0)],
            "ADE/validation/urban/balcony__interior/ADE_val_00000009": [halves(3050, 3050)],
            "ADE/training/unclassified/misc/ADE_train_00000009": [halves(0, 0)],
        },
    )
    dataset = open_ade20k(root, label_size=4)
    assert len(dataset) == 3, "pictures of instances are no photographs"
    assert said(dataset, 0) == [[]]
    assert said(dataset, 1) == [
        [("object", "car"), ("object", "window")],
        [("part", "wheel"), None],
        [("scene", "street")],
    ]
    assert said(dataset, 2) == [[("object", "window")] * 2, [("scene", "balcony interior")]]


def test_the_benchmark(tmp_path: Path) -> None:
    root = write_scene_parsing(
        tmp_path / "ADEChallengeData2016",
        {
            "training/ADE_train_00000001": (halves(2, 4), "airport_terminal"),
            "training/ADE_train_00000002": (halves(0, 1), "misc"),
            "validation/ADE_val_00000001": (halves(3, 3), "airport_terminal"),
        },
    )
    dataset = open_ade20k(root, label_size=4)
    assert isinstance(dataset, SceneParsing)
    assert [each.name for each in dataset.concepts.values()] == ["wall", "building", "sky", "bed", "airport terminal"]
    assert dataset.synonyms == {2: ("edifice",)}
    assert said(dataset, 0) == [[("object", "building"), ("object", "bed")], [("scene", "airport terminal")]]
    assert said(dataset, 1) == [[None, ("object", "wall")], []]
    assert [file.relative_to(root).as_posix() for file in dataset.files(2)] == [
        "images/validation/ADE_val_00000001.jpg",
        "annotations/validation/ADE_val_00000001.png",
    ]
    (root / "sceneCategories.txt").unlink()
    assert open_ade20k(root, label_size=4).categories == ("object",)


FIRST = "images/training/a/abbey/ADE_train_00000001"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / f"{FIRST}_seg.png").unlink(), ["00001_seg.png", "no such file"]),
        (lambda root: write_codes(root / f"{FIRST}_seg.png", halves(1, 601)), ["_seg.png", "label 601", "index_ade"]),
        (
            lambda root: write_codes(root / f"{FIRST}_parts_1.png", halves(1, 1)[:3]),
            ["_parts_1.png", "3 high", "15 by 9"],
        ),
        (lambda root: Image.new("L", SIZE[::-1]).save(root / f"{FIRST}_seg.png"), ["_seg.png", "mode L", "RGB"]),
        (lambda root: (root / f"{FIRST}_seg.png").write_bytes((root / f"{FIRST}_seg.png").read_bytes()[:60]), ["cut"]),
        (lambda root: (root / "index_ade20k.mat").unlink(), ["00001.json", "index_ade20k.mat"]),
        (
            lambda root: (root / "index_ade20k.mat").write_bytes(b"no"),
            ["index_ade20k.mat", "not a readable MATLAB file"],
        ),
        (lambda root: shutil.rmtree(root / "images"), ["no images"]),
        (lambda root: [shutil.rmtree(each) for each in (root / "images").iterdir()], ["no images"]),
    ],
)
def test_what_is_broken_is_named(old: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(old)
    with pytest.raises(ConceptDataError) as caught:
        Ade20k(old, label_size=4).labels(0)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "not an annotation"),
        ("[]", "not an annotation"),
        ('{"annotation": {"object": [{"name": "x"}]}}', "name_ndx"),
    ],
)
def test_broken_annotations_are_named(tmp_path: Path, content: str, word: str) -> None:
    root = write_ade_2021(tmp_path / "ade", {1: "car"}, {"ADE/training/urban/street/x": [halves(1, 1)]})
    (root / "images/ADE/training/urban/street/x.json").write_text(content)
    with pytest.raises(ConceptDataError, match=rf"x\.json: .*{word}"):
        Ade20k(root, label_size=4)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("objectInfo150.txt", "number,name\n1,wall\n", "separated by tabs"),
        ("objectInfo150.txt", "Idx\tName\none\twall\n", "no number"),
        ("objectInfo150.txt", "Idx\tName\n1\twall\n", "label 2, 4"),
        ("sceneCategories.txt", "ADE_train_00000001\n", "no scene"),
    ],
)
def test_broken_tables_of_the_benchmark_are_named(tmp_path: Path, name: str, content: str, word: str) -> None:
    root = write_scene_parsing(tmp_path / "x", {"training/ADE_train_00000001": (halves(2, 4), "street")})
    (root / name).write_text(content)
    with pytest.raises(ConceptDataError, match=word):
        open_ade20k(root, label_size=4).labels(0)
