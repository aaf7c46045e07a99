"""What annotation tools write, with every kind of shape, converted and refused."""

from __future__ import annotations

import base64
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dissection.concepts.checking import check
from dissection.concepts.formats import find_format
from dissection.concepts.formats.shared.outlines import BadRegionError, Bitmap, Ellipse, Polygon, Runs, box
from dissection.concepts.formats.shared.photograph_names import PhotographNames
from dissection.concepts.formats.yolo_segments import label_file
from dissection.concepts.layouts import open_concepts
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 12
"""Side of photographs and of label maps, so that a label map shows every pixel."""

SIZE = (SIDE, SIDE)


def photograph(file: Path, size: tuple[int, int] = SIZE, **saving: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(file.name)).integers(0, 256, (*size, 3), np.uint8)).save(file, **saving)
    return file


def opened(kind: str, src: Path, size: int = SIDE) -> Any:
    return find_format(kind).open(src, label_size=size)


def painted(dataset: Any, index: int) -> dict[str, np.ndarray]:
    """The mask of each concept on an image; of a word for all of it, every pixel."""
    labels, masks = dataset.labels(index), {}
    for number, concept in dataset.concepts.items():
        masks[concept.name] = (labels.maps == number).any(0) | (number in labels.whole)
    return {name: mask for name, mask in masks.items() if mask.any()}


def area(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


# --- outlines


def inside(x: Fraction, y: Fraction, corners: list[tuple[Fraction, Fraction]]) -> bool | None:
    """The slow way, in exact numbers: whether a ray to the left crosses an odd number of edges; on an edge, nothing."""
    crossings = 0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        turn = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        within = min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1)
        if turn == 0 and within:
            return None
        if (y0 <= y) != (y1 <= y):
            crossings += x0 + (y - y0) * (x1 - x0) / (y1 - y0) < x
    return crossings % 2 == 1


coordinate = st.integers(-30, 60).map(lambda value: Fraction(value, 4))


@settings(max_examples=30)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9))
def test_a_polygon_holds_the_pixels_whose_centre_is_inside(corners: list[tuple[Fraction, Fraction]]) -> None:
    mask = Polygon(np.array(corners, np.float64)).mask((8, 10))
    for row in range(8):
        for column in range(10):
            expected = inside(column + Fraction(1, 2), row + Fraction(1, 2), corners)
            assert expected is None or mask[row, column] == expected


def test_a_polygon_of_thousands_of_edges_is_drawn_in_pieces() -> None:
    angles = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    circle = np.stack([50 + 40 * np.cos(angles), 50 + 40 * np.sin(angles)], 1)
    round_mask = Ellipse((50.0, 50.0), (40.0, 40.0)).mask((100, 100))
    assert (Polygon(circle).mask((100, 100)) != round_mask).sum() <= 8
    assert abs(int(round_mask.sum()) - np.pi * 1600) < 15


def test_where_a_polygon_crosses_itself_it_leaves_a_hole() -> None:
    ring = [(0, 0), (12, 0), (12, 12), (0, 12), (0, 0), (4, 4), (4, 8), (8, 8), (8, 4), (4, 4)]
    np.testing.assert_array_equal(Polygon(np.array(ring, np.float64)).mask(SIZE), ~area(4, 4, 8, 8))


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 200.0])
def test_an_ellipse_is_turned_clockwise_as_a_box_is(degrees: float) -> None:
    size, turned = (40, 50), box(10, 15, 40, 25, degrees).mask((40, 50))
    ellipse = Ellipse((25.0, 20.0), (15.0, 5.0), degrees).mask(size)
    assert not (ellipse & ~turned).any()
    assert abs(ellipse.sum() / turned.sum() - np.pi / 4) < 0.03
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    tip = 25 + 14 * cosine, 20 + 14 * sine  # y goes down, so that this turn is clockwise
    assert ellipse[int(tip[1]), int(tip[0])]


def test_bitmaps_and_runs_are_laid_where_they_belong() -> None:
    pixels = np.array([[True, False, True], [False, True, True]])
    for left, top in [(0, 0), (5, 7), (-1, -1), (11, 11), (30, 2), (10, -2)]:
        mask = np.zeros(SIZE, bool)
        for row, column in np.argwhere(pixels):
            if 0 <= row + top < SIDE and 0 <= column + left < SIDE:
                mask[row + top, column + left] = True
        np.testing.assert_array_equal(Bitmap(pixels, left, top).mask(SIZE), mask)
    runs = Runs(np.array([0, 1, 1, 1, 1, 2]), (2, 3), 5, 7)
    np.testing.assert_array_equal(runs.mask(SIZE), Bitmap(pixels, 5, 7).mask(SIZE))
    for lengths, left in [([0, 1, 1], 5), ([0, 7, -1], 5), ([2**62, 2**62, 2**62, 2**62, 6], 5), ([6], 10), ([6], -1)]:
        with pytest.raises(BadRegionError):
            Runs(np.array(lengths), (2, 3), left, 7).mask(SIZE)


@pytest.mark.parametrize("value", [np.nan, np.inf, 25.0])
def test_what_is_no_number_or_far_outside_is_refused(value: float) -> None:
    with pytest.raises(BadRegionError, match="reaches further than 24 pixels"):
        Polygon(np.array([[0, 0], [value, 3], [3, 3]])).mask(SIZE)
    with pytest.raises(BadRegionError):
        Ellipse((3.0, 3.0), (value, 1.0)).mask(SIZE)
    with pytest.raises(BadRegionError):
        Ellipse((3.0, 3.0), (0.0, 1.0)).mask(SIZE)


def test_photographs_are_found_by_the_ends_of_their_paths(tmp_path: Path) -> None:
    for name in ("a.jpg", "train/b.jpg", "val/b.jpg", "train/c.png"):
        photograph(tmp_path / name)
    names, source = PhotographNames(tmp_path), tmp_path / "val" / "x.json"
    cases = {
        "a.jpg": "a.jpg",
        "./a.jpg": "a.jpg",
        "c.png": "train/c.png",
        "train/b.jpg": "train/b.jpg",
        "b.jpg": "val/b.jpg",
        "..\\train\\b.jpg": "train/b.jpg",
        "/home/somebody/data/train/b.jpg": "train/b.jpg",
        "D:\\pictures\\a.jpg": "a.jpg",
    }
    for name, path in cases.items():
        assert names.find(source, name) == tmp_path / path
    for name in ("d.jpg", "test/a.jpg", "", ".."):
        assert names.find(source, name) is None
    with pytest.raises(ConceptDataError, match=r"'b.jpg' may be any of train/b.jpg, val/b.jpg"):
        names.find(tmp_path / "x.json", "b.jpg")


# --- labelme


def png(pixels: np.ndarray) -> str:
    encoded = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8) * 255).save(encoded, "PNG")
    return base64.b64encode(encoded.getvalue()).decode()


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def labelme(file: Path, shapes: list[dict[str, Any]], **more: Any) -> Path:
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{file.stem}.png", "imageData": None}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content | {"imageHeight": SIDE, "imageWidth": SIDE} | more))
    return file


def labelme_world(root: Path) -> Path:
    dot = np.array([[False, True], [True, True]])
    shapes = [
        shape("table", [[0, 0], [12, 0], [12, 6], [0, 6]]),
        shape("red_plate", [[5, 2], [2, 4]], "rectangle"),
        shape("ball", [[8, 3], [8, 5]], "circle", flags={"round": True}),
        shape("_background_", [[0, 0], [1, 12]], "rectangle"),
        shape("dot", [[4, 8], [5, 9]], "mask", mask=png(dot)),
        shape("sign", [[8, 8], [10, 8], [10, 10], [8, 10]], "oriented_rectangle"),
        shape("edge", [[0, 0], [3, 3]], "line"),
        shape("edge", [[0, 0], [3, 3], [4, 5]], "linestrip"),
        shape("eye", [[3, 3]], "point"),
        shape("thin", [[0, 0], [3, 3]]),
    ]
    photograph(root / "a.png")
    labelme(root / "a.json", shapes, flags={"indoor": True, "blurred": False})
    photograph(root / "pictures" / "b.png")
    old = {"label": "table", "points": [[0, 0], [4, 0], [4, 12], [0, 12]]}  # as before labelme 4: without a type
    labelme(root / "notes" / "b.json", [old], imagePath="..\\pictures\\b.png")
    photograph(root / "c.png")
    labelme(root / "c.json", [])
    data = base64.b64encode(photograph(root / "d.png").read_bytes()).decode()
    (root / "d.png").unlink()
    labelme(root / "d.json", [shape("ball", [[6, 6], [6, 9]], "circle")], imageData=data)
    photograph(root / "unlabelled.png")
    return root


def test_labelme_paints_in_the_order_of_the_file(tmp_path: Path) -> None:
    dataset = opened("labelme", labelme_world(tmp_path))
    assert [(c.name, c.category) for c in dataset.concepts.values()] == [
        *((name, "object") for name in ("ball", "dot", "red plate", "sign", "table")),
        ("indoor", "scene"),
    ]
    assert [dataset.image_name(index) for index in range(3)] == ["a.png", "d.json", "pictures/b.png"]
    masks = painted(dataset, 0)
    ball = Ellipse((8.0, 3.0), (2.0, 2.0)).mask(SIZE)
    assert masks["indoor"].all()
    expected = {
        "ball": ball,
        "red plate": area(2, 2, 4, 5),
        "table": area(0, 1, 6, 12) & ~area(2, 2, 4, 5) & ~ball,
        "sign": area(8, 8, 10, 10),
        "dot": area(8, 4, 10, 6) & ~area(8, 4, 9, 5),
    }
    assert set(masks) == {"indoor", *expected}
    for name, mask in expected.items():
        np.testing.assert_array_equal(masks[name], mask, err_msg=name)
    assert set(painted(dataset, 1)) == {"ball"}
    np.testing.assert_array_equal(painted(dataset, 2)["table"], area(0, 0, 12, 4))
    assert dataset.photograph(1).size == SIZE
    assert dataset.remarks == [
        "Photographs without a label, which are left out: 2.",
        "Boxes, which are filled to their edges: 2.",
        "Shapes that cover no area, which are passed over: line (1), linestrip (1), point (1), polygon (1).",
    ]


def test_labelme_counts_pixels_of_the_upright_photograph(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(tmp_path / "a.jpg", (12, 20), exif=exif)
    labelme(tmp_path / "a.json", [shape("x", [[0, 0], [12, 10]], "rectangle")], imagePath="a.jpg", imageHeight=20)
    mask = painted(opened("labelme", tmp_path, 20), 0)["x"]
    assert mask[:10].all()
    assert not mask[10:].any()
    labelme(tmp_path / "a.json", [shape("x", [[0, 0], [5, 5]], "rectangle")], imagePath="a.jpg", imageWidth=20)
    with pytest.raises(ConceptDataError, match=r"a\.jpg: it is 12 pixels wide and 20 high; 20 by 12 .* EXIF"):
        opened("labelme", tmp_path).labels(0)


TRIANGLE = [[0, 0], [4, 0], [4, 4]]
BAD_LABELME = {
    "not labelme's JSON": {"shapes": [{"points": TRIANGLE}]},
    "has no label": {"shapes": [shape(" ", TRIANGLE)]},
    "underscores alone": {"shapes": [shape("__", TRIANGLE)]},
    "a shape of type 'cloud'": {"shapes": [shape("x", TRIANGLE, "cloud")]},
    "a circle of 'x' has 3 points; 2 are needed": {"shapes": [shape("x", TRIANGLE, "circle")]},
    "there is no photograph 'lost.png'": {"imagePath": "lost.png"},
    "base64 cannot be read": {"shapes": [shape("x", [[0, 0], [1, 1]], "mask", mask="???")]},
    "2 x 2 pixels; 3 x 2 is needed": {"shapes": [shape("x", [[0, 0], [2, 1]], "mask", mask=png(np.ones((2, 2))))]},
    "the image is empty": {"shapes": [shape("x", [[0, 0], [1, 1]], "mask")]},
    "far outside": {"shapes": [shape("x", [[0, 0], [99, 0], [4, 4]])]},
}


@pytest.mark.parametrize("words", BAD_LABELME)
def test_bad_labelme_files_are_named(words: str, tmp_path: Path) -> None:
    photograph(tmp_path / "a.png")
    content = {"shapes": [shape("x", TRIANGLE)], "imagePath": "a.png"} | BAD_LABELME[words]
    labelme(tmp_path / "a.json", content["shapes"], imagePath=content["imagePath"])
    with pytest.raises(ConceptDataError, match=rf"a\.json: .*{words}") as caught:
        opened("labelme", tmp_path).labels(0)
    assert "\n" not in str(caught.value)


def test_json_that_holds_a_nan_is_refused(tmp_path: Path) -> None:
    photograph(tmp_path / "a.png")
    labelme(tmp_path / "a.json", [shape("x", [[float("nan"), 0], [4, 0], [4, 4]])])
    with pytest.raises(ConceptDataError, match=r"a\.json: this is not labelme's JSON"):
        opened("labelme", tmp_path)


def test_two_files_for_one_photograph_are_refused(tmp_path: Path) -> None:
    photograph(tmp_path / "a.png")
    labelme(tmp_path / "a.json", [shape("x", TRIANGLE)])
    labelme(tmp_path / "b.json", [shape("x", TRIANGLE)], imagePath="a.png")
    with pytest.raises(ConceptDataError, match=r"b\.json: a\.png is labelled in a\.json too"):
        opened("labelme", tmp_path)


# --- CVAT

META = "<version>1.1</version><meta><task><mode>annotation</mode><labels><label/></labels></task></meta>"


def cvat(root: Path, images: str, meta: str = META) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    xml = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{meta}{images}</annotations>'
    (root / "annotations.xml").write_text(xml)
    return root


def cvat_image(name: str, shapes: str, size: int = SIDE) -> str:
    return f'<image id="0" name="{name}" subset="default" width="{size}" height="{SIDE}">{shapes}</image>'


POLYGON = (
    '<polygon label="car" source="manual" occluded="0" points="0.00,0.00;12.00,0.00;12.00,6.00;0,6" z_order="{}"/>'
)
CVAT_SHAPES = (
    '<box label="wheel" occluded="0" xtl="2.0" ytl="2.0" xbr="5.0" ybr="4.0" z_order="1">'
    '<attribute name="size">big</attribute></box>'
    + POLYGON.format(0)
    + '<ellipse label="lamp" cx="8.0" cy="3.0" rx="2.0" ry="1.0" rotation="90.0" z_order="0"/>'
    '<mask label="dirt" rle="1, 3" left="4" top="8" width="2" height="2" z_order="0"/>'
    '<polyline label="lane" points="0,0;3,3;5,5"/><points label="eye" points="1,1"/>'
    '<cuboid label="van" xtl1="0"/><skeleton label="s"><points label="1" points="1,1"/></skeleton>'
    '<polygon label="thin" points="0,0;3,3"/>'
    '<tag label="good_frame" source="manual"/>'
)


def cvat_world(root: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        photograph(root / "images" / "street" / name)
    images = [cvat_image("street/a.jpg", CVAT_SHAPES), cvat_image("b.jpg", ""), cvat_image("c.jpg", POLYGON.format(3))]
    return cvat(root, "".join(images))


@pytest.mark.parametrize("name", ["", "annotations.xml"])
def test_cvat_paints_by_z_order(name: str, tmp_path: Path) -> None:
    dataset = opened("cvat", cvat_world(tmp_path / "task") / name)
    assert [dataset.image_name(index) for index in range(len(dataset))] == ["street/a.jpg", "c.jpg"]
    lamp = Ellipse((8.0, 3.0), (1.0, 2.0)).mask(SIZE)
    expected = {
        "wheel": area(2, 2, 4, 5),
        "car": area(0, 0, 6, 12) & ~area(2, 2, 4, 5) & ~lamp,
        "lamp": lamp,
        "dirt": area(8, 4, 10, 6) & ~area(8, 4, 9, 5),
        "good frame": np.ones(SIZE, bool),
    }
    masks = painted(dataset, 0)
    assert set(masks) == set(expected)
    for word, mask in expected.items():
        np.testing.assert_array_equal(masks[word], mask, err_msg=word)
    assert {c.category for c in dataset.concepts.values() if c.name == "good frame"} == {"scene"}
    passed_over = ("cuboid", "points", "polygon", "polyline", "skeleton")
    assert dataset.remarks == [
        "Photographs without a label, which are left out: 1.",
        "Boxes, which are filled to their edges: 1.",
        f"Shapes that cover no area, which are passed over: {', '.join(f'{kind} (1)' for kind in passed_over)}.",
    ]


BAD_CVAT = {
    "export it as CVAT for images": '<track id="0" label="car"/>',
    "there is no photograph 'lost.jpg'": cvat_image("lost.jpg", POLYGON.format(0)),
    "a <polygon> has no label": cvat_image("a.jpg", '<polygon points="0,0;4,0;4,4"/>'),
    "points is '0,0;4;4,4'": cvat_image("a.jpg", '<polygon label="x" points="0,0;4;4,4"/>'),
    "points is '0,0;4,inf": cvat_image("a.jpg", '<polygon label="x" points="0,0;4,inf;4,y"/>'),
    "reaches further than 24": cvat_image("a.jpg", '<polygon label="x" points="0,0;4,nan;4,4"/>'),
    "xtl of a <box> is 'nan'": cvat_image("a.jpg", '<box label="x" xtl="nan" ytl="0" xbr="1" ybr="1"/>'),
    "z_order of a <box> is 1.5": cvat_image("a.jpg", '<box label="x" xtl="0" ytl="0" xbr="1" ybr="1" z_order="1.5"/>'),
    "rle is '1,x'": cvat_image("a.jpg", '<mask label="x" rle="1,x" left="0" top="0" width="2" height="2"/>'),
    "run lengths sum to 5; 4": cvat_image("a.jpg", '<mask label="x" rle="1,4" left="0" top="0" width="2" height="2"/>'),
    "reaches beyond the image": cvat_image(
        "a.jpg", '<mask label="x" rle="0,9000000000" left="0" top="0" width="90000" height="100000"/>'
    ),
    "it has a <blob>": cvat_image("a.jpg", '<blob label="x"/>'),
    "24 by 12 is needed, as annotations.xml says": cvat_image("a.jpg", POLYGON.format(0), size=24),
}


@pytest.mark.parametrize("words", BAD_CVAT)
def test_bad_cvat_files_are_named(words: str, tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg")
    with pytest.raises(ConceptDataError) as caught:
        opened("cvat", cvat(tmp_path, BAD_CVAT[words])).labels(0)
    assert words in str(caught.value)
    assert "annotations.xml" in str(caught.value)


def test_xml_with_entities_or_another_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>')
    with pytest.raises(ConceptDataError, match="not readable XML"):
        opened("cvat", tmp_path)
    (tmp_path / "annotations.xml").write_text("<annotation/>")
    with pytest.raises(ConceptDataError, match=r"its root is <annotation>"):
        opened("cvat", tmp_path)


# --- YOLO

DATA = {
    "list.yaml": "path: /content/somewhere\ntrain: ../train/images\nnc: 3\nnames: [car, 'traffic light', 3]\n",
    "data.yml": "names:\n  0: car\n  1: traffic light\n  2: 3\ntrain: images/train\n",
    "classes.txt": "car\ntraffic light\n3\n",
}


def yolo(root: Path, lines: str, data: str = "list.yaml") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / data).write_text(DATA[data])
    photograph(root / "train" / "images" / "a.jpg")
    (root / "train" / "labels").mkdir()
    (root / "train" / "labels" / "a.txt").write_text(lines)
    return root


LINES = "1 0 0 .5 0 .5 .5 0 .5\n\n0 0 0 1 0 1 .75 0 .75\n2 0.75 0.25 0.5 0.5\n"


def yolo_world(root: Path) -> Path:
    yolo(root, LINES)
    photograph(root / "valid" / "images" / "none.jpg")
    photograph(root / "valid" / "images" / "empty.jpg")
    (root / "valid" / "labels").mkdir()
    (root / "valid" / "labels" / "empty.txt").write_text("")
    return root


@pytest.mark.parametrize("data", DATA)
def test_yolo_paints_the_smaller_on_top(data: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    dataset = opened("yolo-seg", yolo(tmp_path, LINES, data))
    masks = painted(dataset, 0)
    expected = {"traffic light": area(0, 0, 6, 6), "3": area(0, 6, 6, 12), "car": area(6, 0, 9, 12)}
    assert set(masks) == set(expected)
    for word, mask in expected.items():
        np.testing.assert_array_equal(masks[word], mask, err_msg=word)
    assert dataset.remarks == ["Boxes, which are filled to their edges: 1."]


def test_yolo_photographs_without_labels_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    dataset = opened("yolo-seg", yolo_world(tmp_path) / "list.yaml")
    assert [dataset.image_name(index) for index in range(len(dataset))] == ["train/images/a.jpg"]
    assert dataset.remarks[0] == "Photographs without a label, which are left out: 2."
    root = Path("images")
    assert label_file(root / "images" / "images" / "a.b.png", root) == root / "images" / "labels" / "a.b.txt"
    assert label_file(root / "a.png", root) == root / "a.txt"


def test_yolo_labels_without_a_photograph_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (yolo_world(tmp_path) / "valid" / "labels" / "lost.txt").write_text("0 0 0 1 0 1 1")
    with pytest.raises(ConceptDataError, match=r"lost\.txt: there is no photograph for these labels"):
        opened("yolo-seg", tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("3 0 0 1 0 1 1", "line 1 is of class 3, which has no name; use one of 0 to 2"),
        ("0.5 0 0 1 0 1 1", "line 1 is of class 0.5"),
        ("nan 0 0 1 0 1 1", "line 1 is of class nan"),
        ("0 0 0 1 0 1 x", "line 1 is '0 0 0 1 0 1 x'; numbers are needed"),
        ("0 0 0 1 0 1", "line 1 has 5 coordinates; 4 for a box"),
        ("0 0 0 1 0 1 12", "line 1 has coordinates outside the picture"),
        ("0 0 0 1 0 1 nan", "line 1 has coordinates outside the picture"),
    ],
)
def test_bad_yolo_lines_are_named(line: str, words: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    with pytest.raises(ConceptDataError) as caught:
        opened("yolo-seg", yolo(tmp_path, line))
    assert words in str(caught.value)
    assert "a.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [", "it is not YAML"),
        ("names: !!python/object/apply:os.getcwd []", "it is not YAML"),
        ("names: {a: car}", "a number from 0 and a name are needed"),
        ("train: x", "there is no data.yaml with names in it"),
        ("x" * 2**20 + "yz", "a list of classes has at most"),
    ],
)
def test_bad_yolo_names_are_refused(text: str, words: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (yolo(tmp_path, LINES) / "list.yaml").write_text(text)
    with pytest.raises(ConceptDataError) as caught:
        opened("yolo-seg", tmp_path)
    assert words in str(caught.value)


# --- COCO as tools export it


def coco(file: Path, annotations: list[dict[str, Any]], categories: Any, names: list[str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": i, "file_name": name, "height": SIDE, "width": SIDE} for i, name in enumerate(names)]
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


ROBOFLOW = [
    {"id": 0, "name": "fruits", "supercategory": "none"},
    {"id": 1, "name": "apple", "supercategory": "fruits"},
    {"id": 2, "name": "pear", "supercategory": "fruits"},
]
SQUARE = [0, 0, 6, 0, 6, 6, 0, 6]
COUNTS = [0, 6 * SIDE, SIDE**2 - 6 * SIDE]  # the six columns at the left


def coco_world(root: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        photograph(root / "train" / name)
    annotations = [
        {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [SQUARE], "bbox": [0, 0, 6, 6], "iscrowd": 0},
        {"id": 2, "image_id": 0, "category_id": 2, "segmentation": {"counts": COUNTS, "size": [SIDE, SIDE]}},
        {"id": 3, "image_id": 1, "category_id": 2, "segmentation": [], "bbox": [2, 3, 4, 5]},
    ]
    coco(root / "train" / "_annotations.coco.json", annotations, ROBOFLOW, ["a.jpg", "b.jpg", "c.jpg"])
    photograph(root / "valid" / "a.jpg")
    coco(root / "valid" / "_annotations.coco.json", annotations[:1], ROBOFLOW, ["a.jpg"])
    return root


def test_coco_of_tools_is_found_wherever_it_is(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    dataset = opened("coco-polygons", coco_world(tmp_path))
    assert [(c.number, c.name, c.category) for c in dataset.concepts.values()] == [
        (1, "fruits", "object"),
        (2, "apple", "object"),
        (3, "pear", "object"),
    ]
    assert [dataset.image_name(i) for i in range(len(dataset))] == ["train/a.jpg", "train/b.jpg", "valid/a.jpg"]
    masks = painted(dataset, 0)
    np.testing.assert_array_equal(masks["apple"], area(0, 0, 6, 6))
    np.testing.assert_array_equal(masks["pear"], area(0, 0, 12, 6))
    np.testing.assert_array_equal(painted(dataset, 1)["pear"], area(3, 2, 8, 6))
    assert dataset.remarks == [
        "Photographs without a label, which are left out: 1.",
        "Boxes, which are filled to their edges: 1.",
    ]


def test_coco_of_tools_names_photographs_in_any_folder(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    photograph(tmp_path / "images" / "default" / "a.jpg")
    annotation = {"id": 1, "image_id": 0, "category_id": 0, "segmentation": [SQUARE]}
    names = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    for name in ("a.jpg", "images\\default\\a.jpg", "/label-studio/data/upload/1/a.jpg"):
        file = coco(tmp_path / "annotations" / "instances_default.json", [annotation], names, [name])
        for src in (tmp_path, tmp_path.joinpath("annotations", "..")):
            assert set(painted(opened("coco-polygons", src), 0)) == {"cat"}
    file.rename(tmp_path / "result.json")
    assert len(opened("coco-polygons", tmp_path / "result.json")) == 1
    coco(tmp_path / "result.json", [annotation], names, ["lost.jpg"])
    with pytest.raises(ConceptDataError, match=r"result\.json: there is no photograph 'lost\.jpg'"):
        opened("coco-polygons", tmp_path)
    box_of_nothing = {"id": 1, "image_id": 0, "category_id": 0, "bbox": [1, 2, 3]}
    coco(tmp_path / "result.json", [box_of_nothing], names, ["a.jpg"])
    with pytest.raises(ConceptDataError, match=r"bbox is \[1, 2, 3\]; left, top, width and height"):
        opened("coco-polygons", tmp_path)
    for name in ("one.json", "result.json"):
        coco(tmp_path / name, [annotation], names, ["a.jpg"])
    with pytest.raises(ConceptDataError, match="annotated in several"):
        opened("coco-polygons", tmp_path)


# --- all of them


WORLDS: dict[str, Callable[[Path], Path]] = {
    "labelme": labelme_world,
    "cvat": cvat_world,
    "yolo-seg": yolo_world,
    "coco-polygons": coco_world,
}


@pytest.mark.parametrize("kind", WORLDS)
def test_converted_from_the_command_line(kind: str, tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    pytest.importorskip({"yolo-seg": "yaml", "coco-polygons": "pycocotools"}.get(kind, "msgspec"))
    src, dst = WORLDS[kind](tmp_path / "src"), tmp_path / "new"
    words = ["concepts", "convert", "--from", kind, src, dst, "--size", SIDE, "--label-size", SIDE, "--min-images", 1]
    status, out, _ = run(*words)
    assert status == 0
    source = opened(kind, src)
    assert all(remark in " ".join(out.split()) for remark in source.remarks)
    assert check(dst) == []
    written = open_concepts(dst)
    assert len(written) == len(source)
    for index in range(len(source)):
        assert Path(written.image_name(index)).stem == Path(source.image_name(index)).stem
        masks, expected = painted(written, index), painted(source, index)
        assert set(masks) == set(expected)
        for name, mask in expected.items():
            np.testing.assert_array_equal(masks[name], mask)


def test_a_polygon_covers_what_labelme_draws_but_for_its_outline() -> None:
    corners = [(3.0, 2.0), (60.0, 10.0), (40.0, 58.0), (8.0, 44.0)]
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).polygon(corners, outline=1, fill=1)
    assert (Polygon(np.array(corners)).mask((64, 64)) != np.asarray(image)).mean() < 0.03
