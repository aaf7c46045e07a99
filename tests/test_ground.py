"""Ground truth from published layouts: small folders in each layout, and what can be wrong with them."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle
from worlds import COLOURS, SHARED, colour_concepts, write_colour_folder

from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import spread_evenly
from dissection.errors import ConceptDataError
from dissection.networks.preprocessing import Preprocessing
from dissection.scenes.scene import draw_scene
from dissection.vocabulary import Labels
from neuronexplain.evaluation.framing import Framing, filled
from neuronexplain.evaluation.ground_truth.labelled_objects import LabelledObjects, region_boxes
from neuronexplain.evaluation.ground_truth.matching import match
from neuronexplain.evaluation.ground_truth.opening import open_ground
from neuronexplain.evaluation.ground_truth.scene_things import TYPICAL
from neuronexplain.evaluation.ground_truth.truth import ObjectLocation

CLASSES = ("cat", "airliner, airplane", "motorcycle")


def xml(name: str, box: tuple[int, ...], *, size: tuple[int, int] = (40, 20), difficult: int = 0) -> str:
    sides = "".join(f"<{s}>{v}</{s}>" for s, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return (
        f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object></annotation>"
    )


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2007"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name, what in (("000001", "cat"), ("000002", "aeroplane")):
        Image.new("RGB", (40, 20)).save(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(xml(what, (11, 6, 20, 15)))
    numbers = np.zeros((20, 40), np.uint8)
    numbers[5:15, 10:20] = 8
    numbers[5:15, 20] = 255
    Image.fromarray(numbers).save(root / "SegmentationClass" / "000001.png")
    (root / "ImageSets" / "Main" / "val.txt").write_text("000001\n000002\n")
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("000001\n")
    return root


def test_labels_of_no_object_are_nowhere():
    known = colour_concepts(4)
    strange = [
        Labels(np.concatenate([own.maps, np.full_like(own.maps, number)]))
        for own, number in zip(known.all_labels, (0, 5, 300, -1), strict=True)
    ]
    for index, colour in enumerate(COLOURS):
        found = LabelledObjects(replace(known, all_labels=strange), list(COLOURS)).annotated(index)
        assert list(found.places) == [colour]
        assert np.array_equal(found.places[colour].mask, known.all_labels[index].maps[0] > 0)


def test_voc(voc):
    ground = open_ground(voc.parent, CLASSES, kind="voc")
    assert ground.objects == {"aeroplane": (1,), "cat": (0,), "motorbike": (2,)}
    first, second = ground.annotated(0), ground.annotated(1)
    assert (first.name, list(first.places), list(second.places)) == ("000001", ["cat"], ["aeroplane"])
    assert first.places["cat"].boxes.tolist() == [[0.25, 0.25, 0.5, 0.75]]  # pixels from 1, the last included
    assert first.places["cat"].mask is None


def test_voc_with_masks(voc):
    ground = open_ground(voc, CLASSES, kind="voc", masks=True)
    assert len(ground) == 1
    found = ground.annotated(0)
    assert found.places["cat"].mask.sum() == 100
    assert found.void.sum() == 10
    assert found.places["cat"].boxes.tolist() == region_boxes(found.places["cat"].mask).tolist()


def test_vocs_difficult_objects_are_left_out(voc):
    (voc / "Annotations" / "000002.xml").write_text(xml("aeroplane", (11, 6, 20, 15), difficult=1))
    assert not open_ground(voc, CLASSES, kind="voc").annotated(1).places


@pytest.fixture
def ilsvrc(tmp_path):
    images = tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    boxes = tmp_path / "ILSVRC" / "Annotations" / "CLS-LOC" / "val"
    images.mkdir(parents=True)
    boxes.mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(images / "a.JPEG")
    (boxes / "a.xml").write_text(xml("n2", (1, 1, 40, 10)))
    (tmp_path / "LOC_synset_mapping.txt").write_text("n1 cat\nn2 plane\nn3 bike\n")
    return tmp_path


def test_ilsvrc(ilsvrc):
    ground = open_ground(ilsvrc, CLASSES, kind="ilsvrc")
    assert ground.objects == {"n1": (0,), "n2": (1,), "n3": (2,)}
    assert ground.annotated(0).places["n2"].boxes.tolist() == [[0, 0, 1, 0.5]]


@pytest.fixture
def coco(tmp_path):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "val2017" / "1.jpg")
    mask = np.zeros((20, 40), np.uint8, order="F")
    mask[:, 30:] = 1
    coded = rle.encode(mask)
    entries = [
        {"bbox": [10, 5, 10, 10], "segmentation": [[10, 5, 20, 5, 20, 15, 10, 15]], "category_id": 17},
        {"bbox": [30, 0, 10, 20], "segmentation": {**coded, "counts": coded["counts"].decode()}, "category_id": 17},
        {"bbox": [0, 0, 40, 20], "segmentation": [[0, 0, 1, 0, 1, 1]], "category_id": 17, "iscrowd": 1},
        {"bbox": [0, 0, 4, 2], "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]], "category_id": 5},
    ]
    content = {
        "images": [{"id": 3, "file_name": "1.jpg", "width": 40, "height": 20}],
        "annotations": [{"id": n, "image_id": 3, **entry} for n, entry in enumerate(entries)],
        "categories": [{"id": 17, "name": "cat"}, {"id": 5, "name": "airplane"}, {"id": 9, "name": "zebra"}],
    }
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    return tmp_path


def test_coco(coco):
    ground = open_ground(coco, CLASSES, kind="coco")
    assert ground.objects == {"cat": (0,), "airplane": (1,)}
    places = ground.annotated(0).places
    assert places["cat"].boxes.tolist() == [[0.25, 0.25, 0.5, 0.75], [0.75, 0, 1, 1]]
    assert places["cat"].mask.sum() == 100 + 200
    assert places["airplane"].mask.sum() == 8


def test_any_concept_dataset(tmp_path):
    write_colour_folder(tmp_path / "squares")
    ground = open_ground(tmp_path / "squares", ("blue", "red", "black"))
    assert ground.objects == {"red": (1,), "blue": (0,)}
    dataset = open_concepts(tmp_path / "squares")
    first = ground.annotated(0)
    assert list(first.places) == ["red"]
    assert (first.places["red"].mask == (dataset.labels(0).maps[0] == 1)).all()
    assert not ground.annotated(1).places  # green is no class


def test_connected_regions_are_instances():
    mask = np.zeros((4, 8), bool)
    mask[0, 0] = mask[1, 1] = mask[3, 4:8] = True
    assert region_boxes(mask).tolist() == [[0, 0, 0.25, 0.5], [0.5, 0.75, 1, 1]]


def test_scenes_know_their_typical_things():
    ground = open_ground(None, ("harbour", "beach"), kind="scenes", limit=12, seed=3)
    assert ground.objects == {"beach": (1,), "harbour": (0,)}
    found = ground.annotated(6)
    scene = draw_scene(3, 6)
    assert list(found.places) == ["harbour"] == [scene.name]
    boxes = [box for box in scene.boxes if box.name in TYPICAL["harbour"]]
    (joint,) = found.places["harbour"].boxes * 112
    assert joint[0] == min(box.left for box in boxes)
    assert joint[3] == max(box.bottom for box in boxes)
    assert not ground.annotated(1).places  # a bedroom
    assert ground.identity() != open_ground(None, ("harbour", "beach"), kind="scenes", limit=12, seed=4).identity()


def test_synonyms_panoptic_endings_and_imagenets_table():
    assert match(["aeroplane", "zebra"], CLASSES) == {"aeroplane": (1,)}
    assert match(["mountain-merged"], ("mountain",)) == {"mountain-merged": (0,)}
    labels = [f"class {index}" for index in range(1000)]
    for index, name in {1: "goldfish", 207: "golden retriever", 404: "airliner", 671: "mountain bike"}.items():
        labels[index] = name
    labels[954] = "banana"
    found = match(["dog", "aeroplane", "person"], labels)
    assert found == {"dog": tuple(range(151, 269)), "aeroplane": (404, 895)}


def test_imagenets_table_says_what_the_labels_say():
    file = SHARED / "imagenet-classes.txt"
    if not file.exists():
        pytest.skip("the list of ImageNet's classes is not here")
    labels = file.read_text().splitlines()
    found = match(["cat", "bicycle", "teddy bear", "sheep", "bus", "clock", "boat"], labels)
    spoken = {name: [labels[index] for index in indices] for name, indices in found.items()}
    assert spoken["cat"] == ["tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"]
    assert spoken["bicycle"] == ["bicycle-built-for-two", "mountain bike"]
    assert spoken["clock"] == ["analog clock", "digital clock", "wall clock"]
    assert spoken["bus"] == ["minibus", "school bus", "trolleybus"]
    assert "container ship" in spoken["boat"]


def test_a_table_of_ones_own(tmp_path):
    table = tmp_path / "matches.csv"
    table.write_text("class,object\ncat,beast\n2,beast\n")
    assert match(["beast", "cat"], CLASSES, table=table) == {"beast": (0, 2)}


def test_a_limit_spreads_images_evenly(tmp_path):
    write_colour_folder(tmp_path / "squares", images=9)
    ground = open_ground(tmp_path / "squares", ("red",), limit=3)
    names = [f"{number:03}.png" for number in spread_evenly(9, 3)]
    assert [ground.annotated(index).name for index in range(3)] == names


def box_outside(root: Path) -> None:
    (root / "Annotations" / "000001.xml").write_text(xml("cat", (11, 6, 99, 15)))


def box_empty(root: Path) -> None:
    (root / "Annotations" / "000001.xml").write_text(xml("cat", (11, 16, 20, 15)))


def other_mask(root: Path) -> None:
    Image.new("L", (20, 40)).save(root / "SegmentationClass" / "000001.png")


def no_mask(root: Path) -> None:
    (root / "SegmentationClass" / "000001.png").unlink()


def no_xml(root: Path) -> None:
    (root / "Annotations" / "000001.xml").unlink()


def half_xml(root: Path) -> None:
    (root / "Annotations" / "000001.xml").write_text("<annotation><size>")


def no_number(root: Path) -> None:
    (root / "Annotations" / "000001.xml").write_text(xml("cat", ("left", 6, 20, 15)))


def entities(root: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    (root / "Annotations" / "000001.xml").write_text(bomb + "<annotation>&b;</annotation>")


def other_size(root: Path) -> None:
    Image.new("RGB", (20, 40)).save(root / "JPEGImages" / "000001.jpg")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (box_outside, "outside the picture of 40 x 20"),
        (box_empty, "holds nothing"),
        (no_xml, "cannot be read"),
        (half_xml, "not readable XML"),
        (no_number, "a number of pixels is needed"),
        (entities, "not readable XML"),
        (other_mask, "20 pixels wide and 40 high"),
        (no_mask, "no such mask"),
        (other_size, "20 pixels wide and 40 high; 40 by 20 is needed, as 000001.xml says"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_line(voc, spoil, said):
    spoil(voc)
    ground = open_ground(voc, CLASSES, kind="voc", masks=True)
    with pytest.raises(ConceptDataError, match=said) as told:
        ground.annotated(0)
    assert "000001" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_wrong_with_a_folder_is_said_in_a_line(voc, ilsvrc, coco, tmp_path):
    for problem, said in (
        (lambda: open_ground(voc, ("bedroom", "beach"), kind="voc"), "no class of the network"),
        (lambda: open_ground(voc, CLASSES, kind="voc", split="test"), "lists there: val"),
        (lambda: open_ground(tmp_path / "nowhere", CLASSES, kind="voc"), "no such folder"),
        (lambda: open_ground(ilsvrc, ("one", "two"), kind="ilsvrc"), "names 3 classes, the network has 2"),
        (lambda: open_ground(coco, CLASSES, kind="coco", split="val2014"), "splits there: val2017"),
        (lambda: open_ground(voc.parent.parent / "ILSVRC", CLASSES, kind="voc"), "no JPEGImages was found"),
    ):
        with pytest.raises(ConceptDataError, match=said) as told:
            problem()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x.jpg", "..\\x.jpg"])
def test_names_do_not_lead_out_of_the_folder(coco, voc, name):
    file = coco / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = name
    file.write_text(json.dumps(content))
    with pytest.raises(ConceptDataError, match="leads out"):
        open_ground(coco, CLASSES, kind="coco")
    (voc / "ImageSets" / "Main" / "val.txt").write_text(f"{name}\n")
    with pytest.raises(ConceptDataError, match="a name without folders"):
        open_ground(voc, CLASSES, kind="voc")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bbox": [30, 0, 30, 20]}, "outside the picture"),
        ({"bbox": [30, 0, 30]}, "four numbers are needed"),
        ({"bbox": [30, 0.5, 10, 10**400]}, "numbers without bounds"),
        ({"bbox": [30, 0, float("nan"), 4]}, "holds nothing"),
        ({"segmentation": {"size": [20, 40], "counts": 5}}, r"annotation 0, 1 of cat cannot be drawn \(its counts"),
        ({"segmentation": {"size": [9, 9], "counts": [81]}}, "are for size"),
        ({"category_id": 2}, "category 2, which is not among its categories"),
        ({"image_id": 2}, "annotation of image 2"),
    ],
)
def test_what_is_wrong_with_coco_is_said_in_a_line(coco, change, said):
    file = coco / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(ConceptDataError, match=said):
        open_ground(coco, CLASSES, kind="coco").annotated(0)


def test_without_pycocotools_the_rest_is_there_and_it_is_said_what_to_install(coco, voc, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    for module in (
        "dissection.concepts.formats.shared.coco_regions",
        "neuronexplain.evaluation.ground_truth.coco_objects",
    ):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ConceptDataError, match=r"pip install 'neuronexplain\[coco\]'") as told:
        open_ground(coco, CLASSES, kind="coco")
    assert "\n" not in str(told.value)
    assert len(open_ground(voc, CLASSES, kind="voc")) == 2


def test_a_panoptic_file_is_no_instances_file(coco):
    (coco / "annotations" / "instances_val2017.json").write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(ConceptDataError, match="'categories' is not a list"):
        open_ground(coco, CLASSES, kind="coco")


@pytest.mark.parametrize("kind", ["whole", "centre", "ten"])
def test_annotations_stay_with_the_picture(kind):
    """A white rectangle is annotated by box and mask; in every view both lie where the view is white."""
    view = Framing.of(Preprocessing(size=(24, 24), resize=32, mean=(0.0,) * 3, std=(1.0,) * 3), kind)
    photograph = Image.new("RGB", (96, 64))
    photograph.paste("white", (36, 16, 72, 40))
    mask = np.array(photograph)[..., 0] > 0
    white = np.array(view.picture(photograph))[..., 0] > 127
    truth = view.truth(_place(region_boxes(mask), mask), photograph)
    boxed = view.truth(_place(region_boxes(mask), None), photograph)
    for region in (truth.region, boxed.region, filled(truth.boxes, view.size)):
        assert region.shape == view.size == white.shape
        assert (region != white).mean() < 0.06


def test_what_the_crop_leaves_out_is_not_there():
    view = Framing.of(Preprocessing(size=(24, 24), resize=24), "centre")
    photograph = Image.new("RGB", (96, 48))
    assert view.truth(_place(np.array([[0.0, 0.0, 0.2, 1.0]]), None), photograph) is None
    (box,) = view.truth(_place(np.array([[0.0, 0.0, 0.5, 1.0]]), None), photograph).boxes
    assert box.tolist() == [0, 0, 12, 24]


def test_ten_crops_put_a_map_back_where_it_was():
    view = Framing.of(Preprocessing(size=(20, 20), resize=(28, 28), mean=(0.0,) * 3, std=(1.0,) * 3), "ten")
    assert len(view.crops) == 10
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8))
    red = view.tensors(picture)[:, 0].numpy()
    assert view.joined(red) == pytest.approx(np.array(picture)[..., 0] / 255, abs=1e-6)


def _place(boxes, mask):
    return ObjectLocation(boxes, mask)
