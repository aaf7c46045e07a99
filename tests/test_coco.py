"""COCO's annotations as concept data: panoptic PNGs, polygons and run lengths, on made and on real data."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dissection.concepts import formats
from dissection.concepts.checking import check
from dissection.concepts.conversion import convert
from dissection.concepts.formats.shared.coco_words import CocoCategory, coco_names, coco_words
from dissection.concepts.formats.shared.outlines import BadRegionError
from dissection.errors import ConceptDataError
from dissection.images.label_images import open_image
from neuronexplain.evaluation.ground_truth.coco_objects import CocoObjects

if TYPE_CHECKING:
    from collections.abc import Callable

REAL = Path(__file__).parents[2] / "shared" / "data" / "coco-panoptic"
SIZE = 16

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person", "isthing": 1},
    {"id": 17, "name": "cat", "supercategory": "animal", "isthing": 1},
    {"id": 18, "name": "dog", "supercategory": "animal", "isthing": 1},
    {"id": 118, "name": "floor-wood", "supercategory": "floor", "isthing": 0},
    {"id": 190, "name": "floor-other-merged", "supercategory": "floor", "isthing": 0},
    {"id": 195, "name": "paper-merged", "supercategory": "raw-material", "isthing": 0},
]
HEAD = {
    "info": {"description": "Made up", "year": 2026},
    "licenses": [{"id": 4, "name": "Attribution", "url": "http://licence"}],
}


def images(count: int) -> list[dict[str, Any]]:
    return [{"id": i, "file_name": f"{i:03}.jpg", "height": SIZE, "width": SIZE, "license": 4} for i in range(count)]


def write(
    root: Path, what: str, annotations: list[dict[str, Any]], categories: Any = CATEGORIES, count: int = 2
) -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "train").mkdir(exist_ok=True)
    content = HEAD | {"images": images(count), "categories": categories, "annotations": annotations}
    (root / "annotations" / f"{what}_train.json").write_text(json.dumps(content))
    for image in images(count):
        Image.new("RGB", (SIZE, SIZE), "red").save(root / "train" / image["file_name"])
    return root


def edit(file: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


SEGMENTS = {70000: 17, 300: 18, 5: 190, 66000: 195, 9: 1}


@pytest.fixture
def panoptic(tmp_path: Path) -> Path:
    """Two photographs in five stripes: a cat, a dog, a floor, paper, a person; then nothing."""
    infos = [{"id": number, "category_id": category, "iscrowd": 0} for number, category in SEGMENTS.items()]
    annotations = [{"image_id": i, "file_name": f"{i:03}.png", "segments_info": infos} for i in range(2)]
    root = write(tmp_path / "coco", "panoptic", annotations)
    ids = np.zeros((SIZE, SIZE), np.int32)
    for place, number in enumerate(SEGMENTS):
        ids[2 * place : 2 * place + 2] = number
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    (root / "annotations" / "panoptic_train").mkdir()
    for index in range(2):
        Image.fromarray(colours).save(root / "annotations" / "panoptic_train" / f"{index:03}.png")
    return root


def test_panoptic_labels_are_categories_and_their_groups(panoptic: Path) -> None:
    dataset = formats.find_format("coco-panoptic").open(panoptic, label_size=8)
    named = {number: (concept.name, concept.category) for number, concept in dataset.concepts.items()}
    assert named == {
        1: ("person", "object"),
        17: ("cat", "object"),
        18: ("dog", "object"),
        118: ("wood floor", "object"),
        190: ("floor", "object"),
        195: ("paper", "material"),
        196: ("animal", "group"),
        197: ("floor", "group"),
    }
    assert [dataset.image_name(index) for index in range(2)] == ["train/000.jpg", "train/001.jpg"]
    layer, groups = dataset.labels(1).maps
    assert layer[:, 3].tolist() == [17, 18, 190, 195, 1, 0, 0, 0]
    assert groups[:, 3].tolist() == [196, 196, 197, 0, 0, 0, 0, 0]


def test_panoptic_converts(panoptic: Path, tmp_path: Path) -> None:
    summary = convert(
        formats.find_format("coco-panoptic").open(panoptic, label_size=8),
        tmp_path / "new",
        size=16,
        label_size=8,
        min_images=2,
    )
    assert {total.category: (total.images, total.concepts, total.pixels) for total in summary.categories} == {
        "object": (2, 4, 64),
        "material": (2, 1, 16),
        "group": (2, 2, 48),
    }
    assert check(tmp_path / "new") == []
    assert "2 photographs: Attribution (http://licence)" in (tmp_path / "new" / "LICENSE-coco.txt").read_text()


def test_two_splits_are_one_dataset(panoptic: Path) -> None:
    for path in ("annotations/panoptic_train.json", "annotations/panoptic_train", "train"):
        (panoptic / path.replace("train", "val")).symlink_to(panoptic / path)
    dataset = formats.find_format("coco-panoptic").open(panoptic, label_size=8)
    names = [dataset.image_name(index) for index in range(len(dataset))]
    assert names == ["train/000.jpg", "train/001.jpg", "val/000.jpg", "val/001.jpg"]


JSON = "annotations/panoptic_train.json"
PNG = "annotations/panoptic_train/001.png"


def test_categories_may_count_from_0(panoptic: Path) -> None:
    """All labels are then one higher: a label map's 0 means "none"."""

    def from_0(content: Any) -> None:
        content["categories"][0]["id"] = 0
        for annotation in content["annotations"]:
            annotation["segments_info"][-1]["category_id"] = 0

    edit(panoptic / JSON, from_0)
    dataset = formats.find_format("coco-panoptic").open(panoptic, label_size=8)
    assert [dataset.concepts[number].name for number in (1, 18, 19)] == ["person", "cat", "dog"]
    assert dataset.labels(1).maps[0, :, 3].tolist() == [18, 19, 191, 196, 1, 0, 0, 0]


def test_regions_of_category_0_are_read(tmp_path: Path) -> None:
    region = {"iscrowd": 0, "segmentation": [[0, 0, 8, 0, 8, 16, 0, 16]], "bbox": [0, 0, 8, 16]}
    annotations = [region | {"id": index, "image_id": index, "category_id": index} for index in range(2)]
    categories = [{"id": 0, "name": "mug", "supercategory": "none"}, {"id": 1, "name": "cat", "supercategory": "mug"}]
    root = write(tmp_path / "coco", "instances", annotations, categories)
    dataset = formats.find_format("coco-instances").open(root, label_size=2)
    assert [(concept.number, concept.name) for concept in dataset.concepts.values()] == [(1, "mug"), (2, "cat")]
    assert [dataset.labels(index).maps.tolist() for index in range(2)] == [[[[1, 0], [1, 0]]], [[[2, 0], [2, 0]]]]
    ground = CocoObjects(root, ["cat", "mug"], split="train")
    assert [list(ground.annotated(index).places) for index in range(2)] == [["mug"], ["cat"]]


def test_a_photograph_that_is_turned_is_not_what_the_annotations_say(panoptic: Path) -> None:
    """Every reader that knows a size compares it, and names what may be the cause."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 12)).save(panoptic / "train/001.jpg", exif=exif)
    edit(panoptic / JSON, lambda content: content["images"][1].update(width=16, height=12))
    dataset = formats.find_format("coco-panoptic").open(panoptic, label_size=8)
    with pytest.raises(ConceptDataError, match=r"12 pixels wide and 16 high; 16 by 12 is needed.*EXIF orientation"):
        dataset.photograph(1)


def spoil(change: Callable[[Any], object]) -> Callable[[Path], object]:
    return lambda root: edit(root / JSON, change)


HOSTILE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "cut short": (lambda root: (root / PNG).write_bytes((root / PNG).read_bytes()[:-30]), PNG, ""),
    "no segments": (lambda root: (root / PNG).unlink(), PNG, ""),
    "no photograph": (lambda root: (root / "train/001.jpg").unlink(), "train/001.jpg", ""),
    "another size": (lambda root: Image.new("RGB", (3, 3)).save(root / PNG), PNG, "3 pixels wide"),
    "photograph of another size": (
        lambda root: Image.new("RGB", (3, 3)).save(root / "train/000.jpg"),
        "000.jpg",
        "3 p",
    ),
    "an id not listed": (lambda root: Image.new("RGB", (SIZE, SIZE), (7, 0, 0)).save(root / PNG), PNG, "segment 7"),
    "no JSON": (lambda root: (root / JSON).write_text("{"), JSON, "is not JSON"),
    "no object": (lambda root: (root / JSON).write_text("[]"), JSON, "no JSON object"),
    "deep": (lambda root: (root / JSON).write_text("[" * 10**6), JSON, "is not JSON"),
    "no list": (spoil(lambda content: content.update(images=3)), JSON, "'images' is not a list"),
    "photograph outside": (spoil(lambda c: c["images"][0].update(file_name="../x.jpg")), JSON, "'../x.jpg' leads out"),
    "photograph at a drive": (spoil(lambda c: c["images"][0].update(file_name="C:\\x.jpg")), JSON, "leads out"),
    "segments outside": (spoil(lambda c: c["annotations"][0].update(file_name="/x.png")), JSON, "'/x.png' leads out"),
    "huge height": (spoil(lambda c: c["images"][0].update(height=10**400)), JSON, "a whole number from 1 to 1000000"),
    "huge image": (
        spoil(lambda c: c["images"][0].update(height=10**6, width=10**6)),
        JSON,
        "x 1000000 pixels, and the limit is",
    ),
    "no height": (spoil(lambda c: c["images"][0].update(height="tall")), JSON, "height is 'tall'"),
    "twice": (spoil(lambda c: c["images"][0].update(id=1)), JSON, "image 1 appears twice"),
    "no name": (spoil(lambda c: c["categories"][0].update(name="")), JSON, "name is ''"),
    "a large category": (spoil(lambda c: c["categories"][0].update(id=70000)), JSON, "from 0 to 65534"),
    "no such image": (spoil(lambda c: c["annotations"][0].update(image_id=8)), JSON, "annotation of image 8"),
    "no such category": (spoil(lambda c: c["categories"].pop(1)), JSON, "segment of category 17"),
    "no segments_info": (spoil(lambda c: c["annotations"][0].pop("segments_info")), JSON, "is not a list of segments"),
}


@pytest.mark.parametrize(("harm", "file", "words"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_wrong_is_said_in_one_line_with_the_file(
    panoptic: Path, tmp_path: Path, harm: Callable[[Path], object], file: str, words: str
) -> None:
    harm(panoptic)
    with pytest.raises(ConceptDataError) as caught:
        convert(
            formats.find_format("coco-panoptic").open(panoptic, label_size=8),
            tmp_path / "new",
            label_size=8,
            min_images=1,
        )
    assert file in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [panoptic]


def rle(mask: np.ndarray[Any, Any]) -> list[int]:
    """Run lengths down the columns, zeros first."""
    counts, last = [0], 0
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


def region(image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {"id": 1, "image_id": image, "category_id": category, "segmentation": segmentation, "iscrowd": crowd}


def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def test_instances_are_drawn_from_polygons_and_run_lengths(tmp_path: Path) -> None:
    pycocotools = pytest.importorskip("pycocotools.mask")
    crowd = np.zeros((SIZE, SIZE), np.uint8)
    crowd[:, 12:] = 1
    packed = pycocotools.encode(np.asfortranarray(crowd.T.copy()))["counts"].decode()
    root = write(
        tmp_path / "coco",
        "instances",
        [
            region(0, 17, [box(0, 0, 4, 16), box(4, 0, 8, 8)]),
            region(0, 17, [[1, 1, 2, 2]]),
            region(0, 18, [box(0, 0, 16, 4)]),
            region(0, 1, {"counts": rle(crowd), "size": [SIZE, SIZE]}, crowd=1),
            region(2, 1, {"counts": packed, "size": [SIZE, SIZE]}, crowd=1),
        ],
        count=3,
    )
    dataset = formats.find_format("coco-instances").open(root, label_size=8)
    assert [dataset.image_name(index) for index in range(len(dataset))] == ["train/000.jpg", "train/002.jpg"]
    expected = {number: np.zeros((8, 8), bool) for number in (1, 17, 18, 196)}
    expected[1][:, 6:] = True
    expected[17][:, :2] = expected[17][:4, :4] = True
    expected[18][:2] = True
    expected[196] = expected[17] | expected[18]
    maps = dataset.labels(0).maps
    for number, plane in expected.items():
        np.testing.assert_array_equal((maps == number).any(0), plane)
    np.testing.assert_array_equal((dataset.labels(1).maps == 1).any(0), expected[1].T)
    summary = convert(dataset, tmp_path / "new", size=16, label_size=8, min_images=1)
    assert (summary.images, check(tmp_path / "new")) == (2, [])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=SIZE**2, max_size=SIZE**2), st.integers(0, 3))
def test_run_lengths_are_drawn_as_they_were(values: list[bool], order: int) -> None:
    regions = pytest.importorskip("dissection.concepts.formats.shared.coco_regions")
    noise = np.array(values, np.uint8).reshape(SIZE, SIZE)
    mask = np.kron(noise, np.ones((1 + 7 * order, 1 + 9 * order), np.uint8))  # run lengths of one digit and of several
    size = list(mask.shape)
    np.testing.assert_array_equal(regions.drawn([{"counts": rle(mask), "size": size}], mask.shape), mask)
    packed = regions.coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    np.testing.assert_array_equal(regions.drawn([{"counts": packed, "size": size}], mask.shape), mask)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=115), max_size=30))
def test_damaged_run_lengths_are_refused_or_drawn(counts: str) -> None:
    regions = pytest.importorskip("dissection.concepts.formats.shared.coco_regions")
    with contextlib.suppress(BadRegionError):
        assert regions.drawn([{"counts": counts, "size": [3, 2]}], (3, 2)).shape == (3, 2)


def test_stuff_without_other(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    categories = [
        {"id": 118, "name": "floor-wood", "supercategory": "floor"},
        {"id": 183, "name": "other", "supercategory": "other"},
    ]
    annotations = [region(i, n, [box(0, 0, 8, 16)]) for i in range(2) for n in (118, 183)]
    dataset = formats.find_format("coco-stuff").open(
        write(tmp_path / "coco", "stuff", annotations, categories), label_size=8
    )
    assert [concept.name for concept in dataset.concepts.values()] == ["wood floor"]
    assert np.unique(dataset.labels(0).maps).tolist() == [0, 118]


@pytest.fixture
def stuff_maps(tmp_path: Path) -> Path:
    root = tmp_path / "stuff"
    maps = root / "annotations" / "val2017"
    maps.mkdir(parents=True)
    (root / "images" / "val2017").mkdir(parents=True)
    (root / "labels.txt").write_text("0: unlabeled\n1: person\n71: door\n112: door-stuff\n118: floor-wood\n182: wood\n")
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[:4], mask[4:8], mask[8:10] = 0, 117, 181
    Image.fromarray(mask).save(maps / "7.png")
    Image.new("RGB", (SIZE, SIZE)).save(root / "images" / "val2017" / "7.jpg")
    return root


def test_pixel_maps_are_a_category_less_one(stuff_maps: Path, tmp_path: Path) -> None:
    dataset = formats.find_format("coco-stuff-maps").open(stuff_maps, label_size=8)
    assert [concept.name for concept in dataset.concepts.values()] == ["person", "door", "wood floor", "wood"]
    assert dataset.labels(0).maps[0][:, 3].tolist() == [1, 1, 118, 118, 182, 0, 0, 0]
    convert(dataset, tmp_path / "new", size=16, label_size=8, min_images=1)
    assert check(tmp_path / "new") == []


def test_bad_pixel_maps_are_refused(stuff_maps: Path) -> None:
    mask = stuff_maps / "annotations" / "val2017" / "7.png"
    Image.new("L", (SIZE, SIZE), 3).save(mask)
    with pytest.raises(ConceptDataError, match=r"7\.png: label 4 was found, which labels\.txt does not name"):
        formats.find_format("coco-stuff-maps").open(stuff_maps, label_size=8).labels(0)
    Image.new("L", (3, SIZE), 0).save(mask)
    with pytest.raises(ConceptDataError, match=r"7\.jpg: it is 16 pixels wide"):
        formats.find_format("coco-stuff-maps").open(stuff_maps, label_size=8).photograph(0)
    (stuff_maps / "labels.txt").write_text("person")
    with pytest.raises(ConceptDataError, match=r"labels\.txt: it has a line"):
        formats.find_format("coco-stuff-maps").open(stuff_maps, label_size=8)


BAD_REGIONS = {
    "text": ("triangle", "polygons or run lengths"),
    "words in a polygon": ([["a", "b", "c", "d", "e", "f"]], "polygons or run lengths"),
    "odd": ([[1, 2, 3, 4, 5, 6, 7]], "an even number"),
    "huge": ([[0, 0, 1e9, 0, 1e9, 1e9]], "outside the image"),
    "without bounds": ([[0, 0, 10**400, 0, 8, 8]], "polygons that are not lists of numbers"),
    "not a number": ([[0, 0, float("nan"), 0, 1, 1]], "outside the image"),
    "nested": ([[[0, 0], [1, 1]]], "an even number"),
    "another size": ({"counts": [9], "size": [3, 3]}, "are for size [3, 3]"),
    "too few": ({"counts": [9], "size": [SIZE, SIZE]}, "sum to 9"),
    "negative": ({"counts": [-1, SIZE**2 + 1], "size": [SIZE, SIZE]}, "not whole numbers"),
    "no counts": ({"size": [SIZE, SIZE]}, "not whole numbers"),
    "packed nonsense": ({"counts": "~~~~~~~~~~~~~~~~~~~~", "size": [SIZE, SIZE]}, "cannot be read"),
    "not ASCII": ({"counts": "é", "size": [SIZE, SIZE]}, "cannot be read"),
    "packed and cut": ({"counts": "0o", "size": [SIZE, SIZE]}, "cut short"),
    "packed and endless": ({"counts": "oooooooooooo", "size": [SIZE, SIZE]}, "cannot be read"),
    "packed and short": ({"counts": "010", "size": [SIZE, SIZE]}, "sum to 1"),
}


@pytest.mark.parametrize(("segmentation", "words"), BAD_REGIONS.values(), ids=BAD_REGIONS)
def test_bad_regions_are_refused_with_the_file_and_the_image(tmp_path: Path, segmentation: Any, words: str) -> None:
    pytest.importorskip("pycocotools")
    root = write(tmp_path / "coco", "instances", [region(0, 17, [box(0, 0, 4, 4)]), region(1, 17, segmentation)])
    dataset = formats.find_format("coco-instances").open(root, label_size=8)
    with pytest.raises(ConceptDataError) as caught:
        dataset.labels(1)
    assert words in str(caught.value)
    assert "instances_train.json: category 17 of image 1" in str(caught.value)


def test_without_pycocotools_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    for module in ("coco_instances", "shared.coco_regions"):
        monkeypatch.delitem(sys.modules, f"dissection.concepts.formats.{module}", raising=False)
    with pytest.raises(ConceptDataError, match=r"neuronexplain\[coco\]"):
        formats.find_format("coco-instances").open(tmp_path, label_size=8)


def test_names_are_for_people_and_two_categories_stay_two() -> None:
    names = {
        "floor-other-merged": "floor",
        "floor-wood": "wood floor",
        "wall-brick": "brick wall",
        "window-blind": "window blind",
        "traffic light": "traffic light",
        "tree-merged": "tree",
        "water-other": "water",
        "door-stuff": "door stuff",
        "door": "door",
    }
    assert dict(zip(names, coco_names(list(names)), strict=True)) == names


def test_groups_hold_several_categories() -> None:
    words = coco_words(
        [
            CocoCategory(1, "bed", "furniture"),
            CocoCategory(4, "shelf", "furniture-stuff"),
            CocoCategory(7, "sky", "sky"),
            CocoCategory(8, "metal", "raw-material"),
            CocoCategory(9, "wood", "raw-material"),
            CocoCategory(2, "book", "indoor"),
            CocoCategory(3, "vase", "indoor"),
        ]
    )
    assert [(c.number, c.name, c.category) for c in words.concepts.values() if c.number > 7] == [
        (8, "metal", "material"),
        (9, "wood", "material"),
        (10, "furniture", "group"),
        (11, "indoor object", "group"),
    ]
    assert words.groups == {1: 10, 4: 10, 2: 11, 3: 11}


@pytest.mark.skipif(not REAL.exists(), reason="the sample data are not here")
def test_the_real_annotations_are_read_as_they_are() -> None:
    dataset = formats.find_format("coco-panoptic").open(REAL, label_size=112)
    content = json.loads((REAL / "annotations" / "panoptic_train2017.json").read_text())
    assert len(dataset) == 100
    plain = [concept for concept in dataset.concepts.values() if concept.category != "group"]
    assert len({concept.name for concept in plain}) == len(plain) == len(content["categories"])
    by_image = {each["image_id"]: each for each in content["annotations"]}
    files = {f"train2017/{each['file_name']}": by_image[each["id"]] for each in content["images"]}
    for index in range(0, 100, 23):
        annotation = files[dataset.image_name(index)]
        category = {each["id"]: each["category_id"] for each in annotation["segments_info"]}
        image = open_image(REAL / "annotations" / "panoptic_train2017" / annotation["file_name"])
        maps, (width, height) = dataset.labels(index).maps, image.size
        assert dataset.photograph(index).size == image.size
        for row, column in ((3, 5), (56, 56), (100, 31), (77, 111)):
            red, green, blue = image.getpixel((int((column + 0.5) * width / 112), int((row + 0.5) * height / 112)))
            assert maps[0, row, column] == category.get(red + 256 * green + 65536 * blue, 0)


def test_a_polygon_covers_what_pillow_draws(tmp_path: Path) -> None:
    regions = pytest.importorskip("dissection.concepts.formats.shared.coco_regions")
    corners = [3.0, 2.0, 60.0, 10.0, 40.0, 58.0, 8.0, 44.0]
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).polygon(corners, fill=1)
    drawn = regions.drawn([[np.array(corners)]], (64, 64))
    assert (drawn != np.asarray(image)).mean() < 0.03, "they differ along the outline alone"
