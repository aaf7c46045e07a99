"""VOC, Pascal Context and Pascal-Part, each pixel compared with what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pngs import png
from published import SIZE, halves, nearest, part_object, write_context, write_parts, write_photograph, write_voc
from scipy.io import savemat
from torchvision.datasets import VOCSegmentation

from dissection.concepts.formats.pascal_context import PascalContext
from dissection.concepts.formats.pascal_part import PascalPart, part_name
from dissection.concepts.formats.shared import matlab_elements
from dissection.concepts.formats.shared.voc_masks import voc_colour
from dissection.concepts.formats.voc import Voc
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def noise(largest: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, largest + 1, SIZE)


# --- VOC


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    images = {"2007_000033": noise(20), "2007_000032": halves(20, 255), "2008_000001": halves(0, 11)}
    lists = {"train": ["2007_000033"], "val": ["2007_000032"], "trainval": ["2007_000032", "2007_000033"]}
    lists["test"] = ["2008_000001", "2008_000002"]
    return write_voc(tmp_path / "VOCdevkit" / "VOC2012", images, lists)


def test_voc(voc: Path) -> None:
    dataset = Voc(voc.parent, label_size=4)
    assert dataset.name == "VOC2012"
    assert [dataset.image_name(index) for index in range(len(dataset))] == [
        "2007_000032.jpg",
        "2007_000033.jpg",
        "2008_000001.jpg",
    ]
    assert dataset.labels(0).maps.tolist() == [nearest(halves(20, 0), 4)], "255 is not labelled"
    assert dataset.labels(1).maps.tolist() == [nearest(noise(20), 4)]
    assert [dataset.concepts[number].name for number in (1, 11, 20)] == ["aeroplane", "dining table", "tv monitor"]
    assert dataset.synonyms == {1: ("airplane",)}
    assert b"flickr" in dataset.notes["ATTRIBUTION.txt"]


def test_voc_as_torchvision_reads_it(voc: Path) -> None:
    peer = VOCSegmentation(voc.parents[1], "2012", "trainval")
    dataset = Voc(voc, label_size=SIZE[0])
    for index, (photograph, mask) in enumerate(peer):
        assert np.array_equal(dataset.photograph(index), photograph)
        codes = np.asarray(mask).astype(int)
        assert dataset.labels(index).maps.tolist() == [nearest(np.where(codes == 255, 0, codes), SIZE[0])]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "SegmentationClass/2007_000032.png").unlink(), ["2007_000032.png", "no such file"]),
        (lambda root: (root / "SegmentationClass/2007_000032.png").write_bytes(b"\x89PNG"), ["2007_000032.png"]),
        (lambda root: (root / "JPEGImages/2007_000032.jpg").unlink(), ["2007_000032.jpg", "no such file"]),
        (
            lambda root: Image.new("L", SIZE[::-1], 21).save(root / "SegmentationClass/2007_000032.png"),
            ["2007_000032.png", "label 21", "VOC"],
        ),
        (
            lambda root: Image.new("P", (3, 3)).save(root / "SegmentationClass/2007_000032.png"),
            ["2007_000032.png", "3 pixels wide", "15 by 9"],
        ),
        (
            lambda root: (root / "ImageSets/Segmentation/val.txt").write_text("../../secret\n"),
            ["val.txt", "without folders"],
        ),
        (
            lambda root: [file.unlink() for file in (root / "ImageSets/Segmentation").iterdir()],
            ["Segmentation", "trainval.txt"],
        ),
        (
            lambda root: write_voc(root.parent / "VOC2007", {"000001": halves(1, 1)}, {"train": ["000001"]}),
            ["VOC2007/SegmentationClass, VOC2012/SegmentationClass", "one of them"],
        ),
    ],
)
def test_a_broken_voc_is_named(voc: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(voc)
    with pytest.raises(ConceptDataError) as caught:
        Voc(voc.parent, label_size=4).labels(0)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def masked(voc: Path, mask: bytes | Image.Image) -> list[list[list[int]]]:
    file = voc / "SegmentationClass/2007_000032.png"
    if isinstance(mask, bytes):
        file.write_bytes(mask)
    else:
        mask.save(file)
    return Voc(voc, label_size=4).labels(0).maps.tolist()


def test_a_palette_that_was_sorted_anew_goes_by_its_colours(voc: Path) -> None:
    classes = np.array([15, 8, 0, 255])  # person, cat, background, void
    places = noise(3)
    palette = [level for code in classes for level in voc_colour(int(code))]
    for depth in (2, 8):
        assert masked(voc, png(places, depth, 3, palette)) == [nearest(np.where(places == 3, 0, classes[places]), 4)]


def test_vocs_colours_without_a_palette_are_read(voc: Path) -> None:
    codes = noise(20)
    colours = np.array([voc_colour(code) for code in range(21)], np.uint8)[codes]
    assert masked(voc, Image.fromarray(colours)) == [nearest(codes, 4)]
    assert masked(voc, Image.fromarray(colours).convert("RGBA")) == [nearest(codes, 4)]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grey_masks_of_voc_hold_the_numbers(voc: Path, depth: int) -> None:
    codes = noise(min(2**depth - 1, 20))
    assert masked(voc, png(codes, depth)) == [nearest(codes, 4)]
    ramp = [level for code in range(2**depth) for level in (code,) * 3]
    assert masked(voc, png(codes, depth, 3, ramp)) == [nearest(codes, 4)]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Image.new("RGB", SIZE[::-1], (1, 2, 3)), "colour 1, 2, 3"),
        (png(noise(1), 1, 3, [0, 0, 0, 10, 20, 30]), "colour 10, 20, 30"),
        (png(noise(3), 2, 3, [0, 0, 0, 128, 0, 0]), "palette has 2 colours"),
    ],
    ids=["RGB", "palette", "a short palette"],
)
def test_a_colour_of_no_class_is_refused(voc: Path, mask: bytes | Image.Image, words: str) -> None:
    with pytest.raises(ConceptDataError, match=words):
        masked(voc, mask)


def test_an_annotation_tools_own_colours_are_those_of_its_list(voc: Path) -> None:
    list_file = voc / "labelmap.txt"
    list_file.write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:128,0,0::\ndog:1,2,3:head:\n")
    colours = np.array([(0, 0, 0), (128, 0, 0), (1, 2, 3)], np.uint8)
    codes = noise(2)
    assert masked(voc, Image.fromarray(colours[codes])) == [nearest(np.array([0, 8, 12])[codes], 4)]
    for text, words in (("mug:128,0,0::\n", "'mug' is not one of VOC"), ("cat 128 0 0\n", "a line like")):
        list_file.write_text(text)
        with pytest.raises(ConceptDataError, match=words):
            Voc(voc, label_size=4)


# --- Pascal Context

LABELS = "1: accordion\n2: unknown\n3: traffic light\n459: wood\n"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return write_context(tmp_path / "pascal", LABELS, {"2008_000002": halves(459, 2), "2008_000004": halves(3, 1)})


def test_pascal_context(context: Path) -> None:
    dataset = PascalContext(context, label_size=3)
    assert [each.name for each in dataset.concepts.values()] == ["accordion", "traffic light", "wood"]
    assert dataset.labels(0).maps.tolist() == [nearest(halves(3, 0), 3)], "unknown is not labelled"
    assert dataset.labels(1).maps.tolist() == [nearest(halves(2, 1), 3)]
    assert dataset.image_name(1) == "2008_000004.jpg"
    assert dataset.photograph(0).size == SIZE[::-1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: savemat(file, {"Other": 1}), ["2008_000002.mat", "no LabelMap"]),
        (lambda file: savemat(file, {"LabelMap": "text"}), ["2008_000002.mat", "matrix of numbers"]),
        (lambda file: savemat(file, {"LabelMap": halves(1, 4)}), ["2008_000002.mat", "label 4", "labels.txt"]),
        (lambda file: savemat(file, {"LabelMap": halves(1, -1)}), ["2008_000002.mat", "from 0"]),
        (lambda file: savemat(file, {"LabelMap": halves(1, 1) + 0.5}), ["2008_000002.mat", "whole numbers"]),
        (lambda file: savemat(file, {"LabelMap": halves(1, 1).T}), ["2008_000002.mat", "9 pixels wide", "15 by 9"]),
        (lambda file: savemat(file, {"LabelMap": np.zeros((9, 0))}), ["2008_000002.mat", "matrix"]),
        (lambda file: file.write_bytes(b""), ["2008_000002.mat", "not a readable MATLAB file"]),
        (lambda file: file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"), ["2008_000002.mat"]),
        (lambda file: (file.parents[1] / "labels.txt").write_text("accordion\n"), ["labels.txt", "1: accordion"]),
    ],
)
def test_a_broken_pascal_context_is_named(context: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(context / "trainval" / "2008_000002.mat")
    with pytest.raises(ConceptDataError) as caught:
        PascalContext(context, label_size=3).labels(0)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


# --- Pascal-Part


def test_pascal_part(tmp_path: Path) -> None:
    left, right = halves(1, 0), halves(0, 1)
    eye = np.zeros(SIZE, int)
    eye[:3, :3] = 1
    things = [
        part_object("person", left, {"head": left, "leye": eye, "luarm": right}),
        part_object("tvmonitor", right),
    ]
    root = write_parts(tmp_path / "VOC2010", {"2008_000008": things, "2008_000009": [part_object("train", left)]})
    dataset = PascalPart(tmp_path, label_size=6)
    concepts = {(each.category, each.name): number for number, each in dataset.concepts.items()}
    arm, head, eyes = concepts["part", "arm"], concepts["part", "head"], concepts["part", "eye"]
    maps = dataset.labels(0).maps.tolist()
    assert maps == [
        nearest(halves(concepts["object", "person"], concepts["object", "tv monitor"]), 6),
        nearest(halves(head, arm), 6),
        nearest(eye * eyes, 6),
    ], "an eye is on the head, which is there all the same"
    assert dataset.labels(1).maps.tolist() == [nearest(halves(concepts["object", "train"], 0), 6)]
    assert [file.parent.name for file in dataset.files(0)] == ["JPEGImages", "Annotations_Part"]
    assert root.name == dataset.image_name(0).replace("2008_000008.jpg", "VOC2010")


def test_one_name_may_be_an_object_and_a_part(tmp_path: Path) -> None:
    root = write_parts(tmp_path, {"x": [part_object("pottedplant", halves(1, 1), {"plant": halves(1, 0)})]})
    concepts = PascalPart(root, label_size=4).concepts.values()
    names = [each.name for each in concepts if each.category == "part"]
    assert names == sorted(set(names))
    assert not any("_" in name or any(letter.isdigit() for letter in name) for name in names)


@pytest.mark.parametrize(
    ("owner", "code", "name"),
    [
        ("car", "window_12", "window"),
        ("train", "cleftside_2", "coach side"),
        ("train", "head", "locomotive"),
        ("cat", "head", "head"),
        ("horse", "rblleg", "leg"),
        ("person", "llleg", "leg"),
        ("person", "llarm", "arm"),
        ("bird", "lleg", "leg"),
        ("bus", "bliplate", "license plate"),
        ("bicycle", "chainwheel", "chain wheel"),
        ("dog", "rfpa", "paw"),
        ("horse", "lbho", "hoof"),
    ],
)
def test_codes_in_words(owner: str, code: str, name: str) -> None:
    assert part_name(owner, code) == name


@pytest.mark.parametrize(
    ("things", "words"),
    [
        ([part_object("unicorn", halves(1, 0))], ["x.mat", "'unicorn'"]),
        ([part_object("cat", halves(1, 0), {"lfwhe": halves(1, 0)})], ["x.mat", "'lfwhe'", "cat"]),
        ([part_object("cat", halves(1, 0)[:2])], ["x.mat", "2 high", "15 by 9"]),
        ([part_object("cat", halves(1, 0), {"leye": halves(1, 0).T})], ["x.mat", "9 pixels wide"]),
        ([{"class": "cat", "mask": halves(1, 0)}], ["x.mat", "no field parts"]),
        ([part_object("cat", halves(1, 0)) | {"class": 5.0}], ["x.mat", "name is needed"]),
        ([part_object("cat", halves(1, 0)) | {"parts": 7.0}], ["x.mat", "no field part_name, mask"]),
    ],
)
def test_a_broken_pascal_part_is_named(tmp_path: Path, things: list[dict[str, object]], words: list[str]) -> None:
    root = write_parts(tmp_path, {"x": things})
    with pytest.raises(ConceptDataError) as caught:
        PascalPart(root, label_size=4).labels(0)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(
    edits=st.lists(st.tuples(st.integers(124, 10**6), st.integers(0, 255)), max_size=4),
    length=st.integers(0, 2 * 10**6),
    packed=st.booleans(),
)
@example(edits=[(1072, 163)], length=10**6, packed=False)  # these two end the process if scipy reads them unchecked
@example(edits=[(544, 214)], length=10**6, packed=False)
def test_damaged_matlab_files_end_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]], length: int, packed: bool
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    things = [part_object("person", halves(1, 0), {"head": halves(1, 0), "leye": halves(0, 1)})]
    things.append(part_object("cat", halves(0, 1)))
    file = write_parts(root, {"x": things}, packed=packed) / "Annotations_Part" / "x.mat"
    content = bytearray(file.read_bytes())
    for place, value in edits:
        content[place % len(content)] = value
    file.write_bytes(content[:length])
    said = f"{file}: "
    try:
        PascalPart(root, label_size=3).labels(0)
    except ConceptDataError as error:
        said = str(error)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said


def test_a_matlab_file_that_unpacks_to_too_much_is_named(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat(context / "trainval" / "2008_000002.mat", {"LabelMap": np.zeros((400, 400))}, do_compression=True)
    monkeypatch.setattr(matlab_elements, "_LARGEST", 400 * 400 * 8)
    with pytest.raises(ConceptDataError, match=r"2008_000002\.mat: .*too large"):
        PascalContext(context, label_size=3).labels(0)


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    write_photograph(tmp_path / "JPEGImages" / "x.jpg")
    for kind, missing in ((Voc, "SegmentationClass"), (PascalContext, "trainval"), (PascalPart, "Annotations_Part")):
        with pytest.raises(ConceptDataError, match=f"no {missing} was found"):
            kind(tmp_path, label_size=4)
        with pytest.raises(ConceptDataError, match="no such folder"):
            kind(tmp_path / "nowhere", label_size=4)
