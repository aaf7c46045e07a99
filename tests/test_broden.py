"""Broden's layout: read as it was published, and written so that it reads back equal."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from broden import writing_broden
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import spread_evenly
from dissection.errors import ConceptDataError, OutputError
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Callable

    from dissection.vocabulary import Labels

MINI = Path(__file__).parents[2] / "shared" / "data" / "mini-broden"

INDEX = """\
image,split,ih,iw,sh,sw,color,object,material
a/one.jpg,train,4,6,2,3,a/one_color.png,a/one_object.png;a/one_object_1.png,0
two.jpg,val,4,6,2,3,,700;0;4,7
three.jpg,val,4,6,2,3,,,
"""
LABEL = """\
number,name,category,frequency,coverage,syns
2,red-c,color(1),1,5e-05,red
4,door,object(2),2,1,door;gate
7,wood,material(2);object(9),2,5e-05,wood;timber
700,house,object(2),2,1,house
"""
CATEGORY = "name,first,last,count,frequency\ncolor,2,2,1,1\nobject,4,700,3,4\nmaterial,7,7,1,2\n"
COVERAGE = {
    "c_object.csv": "code,number,name,frequency,coverage\n1,4,door,2,1\n2,7,wood,9,5e-05\n3,700,house,2,1\n",
    "c_material.csv": "code,number,name,frequency,coverage\n1,7,wood,2,6e-05\n",
    "c_color.csv": "code,number,name,frequency,coverage\n1,2,red-c,1,5e-05\n",
}


def label_png(path: Path, numbers: list[list[int]]) -> None:
    array = np.zeros((len(numbers), len(numbers[0]), 3), np.uint8)
    for row, line in enumerate(numbers):
        for column, number in enumerate(line):
            array[row, column, :2] = number & 0xFF, number >> 8
    Image.fromarray(array).save(path)


@pytest.fixture
def broden(tmp_path: Path) -> Path:
    root = tmp_path / "small"
    (root / "images" / "a").mkdir(parents=True)
    for name, colour in (("a/one.jpg", "red"), ("two.jpg", "green"), ("three.jpg", "blue")):
        Image.new("RGB", (6, 4), colour).save(root / "images" / name)
    label_png(root / "images" / "a" / "one_color.png", [[2, 2, 2], [0, 0, 0]])
    label_png(root / "images" / "a" / "one_object.png", [[700, 700, 0], [700, 0, 0]])
    label_png(root / "images" / "a" / "one_object_1.png", [[4, 0, 0], [0, 0, 0]])
    for name, text in {"index.csv": INDEX, "label.csv": LABEL, "category.csv": CATEGORY, **COVERAGE}.items():
        (root / name).write_text(text)
    return root


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_what_it_is_made_of(broden: Path) -> None:
    dataset = BrodenLayout(broden)
    assert dataset.name == "small"
    assert len(dataset) == 3
    assert [dataset.image_name(index) for index in range(3)] == ["a/one.jpg", "two.jpg", "three.jpg"]
    assert dataset.categories == ("color", "object", "material")
    assert list(dataset.concepts) == [2, 4, 7, 700]
    assert dataset.concepts[700] == Concept(700, "house", "object")
    assert dataset.concepts[2].spoken == "red"
    assert dataset.synonyms[7] == ("wood", "timber")
    assert [file.relative_to(broden / "images").as_posix() for file in dataset.files(0)] == [
        "a/one.jpg",
        "a/one_color.png",
        "a/one_object.png",
        "a/one_object_1.png",
    ]


def test_several_maps_and_numbers_above_255(broden: Path) -> None:
    labels = BrodenLayout(broden).labels(0)
    assert labels.maps.dtype == np.int32
    assert labels.maps.tolist() == [[[2, 2, 2], [0, 0, 0]], [[700, 700, 0], [700, 0, 0]], [[4, 0, 0], [0, 0, 0]]]
    assert labels.whole == (), "the scalar 0 means none"


def test_whole_image_numbers(broden: Path) -> None:
    labels = BrodenLayout(broden).labels(1)
    assert labels.whole == (700, 4, 7)
    assert labels.maps.shape == (0, 2, 3)


def test_an_image_without_labels(broden: Path) -> None:
    labels = BrodenLayout(broden).labels(2)
    assert (labels.whole, labels.maps.shape) == ((), (0, 2, 3))


def test_photograph(broden: Path) -> None:
    photograph = BrodenLayout(broden).photograph(0)
    assert (photograph.mode, photograph.size) == ("RGB", (6, 4))
    assert np.asarray(photograph)[0, 0].tolist() == pytest.approx([254, 0, 0], abs=2)


def test_primary_category_is_the_one_of_largest_coverage(broden: Path) -> None:
    assert BrodenLayout(broden).concepts[7].category == "material", "6e-05 is more than 5e-05"
    edit(broden / "c_object.csv", "5e-05", "7e-05")
    assert BrodenLayout(broden).concepts[7].category == "object"


def test_ties_go_to_the_later_category(broden: Path) -> None:
    edit(broden / "c_object.csv", "5e-05", "6e-05")
    assert BrodenLayout(broden).concepts[7].category == "material"
    edit(
        broden / "category.csv",
        "color,2,2,1,1\nobject,4,700,3,4\nmaterial,7,7,1,2\n",
        "material,,,,\ncolor,,,,\nobject,,,,\n",
    )
    assert BrodenLayout(broden).concepts[7].category == "object"


def test_without_coverages_the_images_are_counted(broden: Path) -> None:
    (broden / "c_material.csv").unlink()
    assert BrodenLayout(broden).concepts[7].category == "object", "9 images against 2"


def test_bom_line_ends_blank_lines_and_more_columns(broden: Path) -> None:
    expected = fingerprint(BrodenLayout(broden))
    for name in ("index.csv", "label.csv", "category.csv", "c_object.csv"):
        lines = (broden / name).read_text().splitlines()
        wider = [f"{lines[0].upper()},note", *(f'{line},"x, y"' for line in lines[1:]), "", ""]
        (broden / name).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(wider).encode())
    assert fingerprint(BrodenLayout(broden)) == expected


def spoil_png(change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda root: change(root / "images" / "a" / "one_object.png")


def replacing(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: edit(root / name, old, new)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "category.csv").unlink(), ["category.csv", "no such file"]),
        (lambda root: (root / "label.csv").unlink(), ["label.csv", "no such file"]),
        (lambda root: (root / "label.csv").write_text("number,name,category\n"), ["label.csv", "no lines"]),
        (lambda root: (root / "label.csv").write_bytes(b"number,name,category\n1,\xff,object\n"), ["UTF-8"]),
        (replacing("label.csv", "number,name", "number,title"), ["label.csv", "title", "name"]),
        (replacing("label.csv", "\n4,door", "\nfour,door"), ["line 3", "four"]),
        (replacing("label.csv", "\n4,door", "\n0,door"), ["line 3", "'0'"]),
        (replacing("label.csv", "\n4,door", "\n65536,door"), ["line 3", "65536"]),
        (replacing("label.csv", "\n4,door", "\n7,door"), ["line 4", "twice"]),
        (replacing("label.csv", "door,object(2)", ",object(2)"), ["line 3", "name is empty"]),
        (replacing("label.csv", "door,object(2)", "door,object(2"), ["line 3", "object(2"]),
        (replacing("label.csv", "door,object(2)", "door,thing(2)"), ["line 3", "thing", "color, object, material"]),
        (replacing("label.csv", "2,1,door;gate", "2,1"), ["line 3", "5 cells", "6"]),
        (replacing("c_object.csv", "5e-05", "many"), ["c_object.csv", "many"]),
        (replacing("category.csv", "material,7", "object,7"), ["category.csv", "twice"]),
        (replacing("index.csv", ",object,material", ",object,texture"), ["index.csv", "'material'"]),
        (replacing("index.csv", "val,4,6,2,3,,700", "val,4,6,2,wide,,700"), ["line 3", "sw", "wide"]),
        (replacing("index.csv", "700;0;4", "701;0;4"), ["line 3", "701", "label.csv"]),
        (replacing("index.csv", "two.jpg", "../two.jpg"), ["line 3", "../two.jpg", "out of images/"]),
        (replacing("index.csv", "two.jpg", "/etc/two.jpg"), ["line 3", "out of images/"]),
        (replacing("index.csv", "two.jpg", "C:\\two.jpg"), ["line 3", "out of images/"]),
        (replacing("index.csv", "a/one_color.png", "a/../../one_color.png"), ["line 2", "out of images/"]),
        (replacing("index.csv", "three.jpg", "two.jpg"), ["line 4", "twice"]),
    ],
)
def test_bad_tables_are_refused_at_once(broden: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(broden)
    with pytest.raises(ConceptDataError) as caught:
        BrodenLayout(broden)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_png(Path.unlink), ["no such file"]),
        (spoil_png(lambda file: file.write_bytes(file.read_bytes()[:50])), ["cut short"]),
        (spoil_png(lambda file: label_png(file, [[700, 0]])), ["2 pixels wide and 1 high", "3 by 2", "sh and sw"]),
        (spoil_png(lambda file: label_png(file, [[701, 0, 9], [0, 0, 0]])), ["9, 701", "label.csv"]),
        (spoil_png(lambda file: Image.new("L", (3, 2), 4).save(file)), ["mode L", "RGB"]),
    ],
)
def test_bad_label_maps_are_refused_when_read(broden: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(broden)
    dataset = BrodenLayout(broden)
    with pytest.raises(ConceptDataError) as caught:
        dataset.labels(0)
    assert all(word in str(caught.value) for word in ["one_object.png", *words]), caught.value


@pytest.mark.parametrize("file", ["index.csv", "label.csv", "category.csv"])
@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_a_disk_that_fails_once_loses_no_column(
    broden: Path, file: str, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_concepts(broden).labels(0).maps.tolist()
    opened, real = 0, Path.open

    def failing(path: Path, *arguments: Any, **options: Any) -> Any:
        nonlocal opened
        opened += path.name == file
        if path.name == file and opened == attempt:
            raise OSError(5, "Input/output error")
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    try:
        maps = open_concepts(broden).labels(0).maps.tolist()
    except ConceptDataError as error:
        assert "it cannot be read (Input/output error)" in str(error)  # noqa: PT017
    else:
        assert maps == expected
        assert opened < attempt


def test_bad_photographs_are_refused_when_read(broden: Path) -> None:
    dataset = BrodenLayout(broden)
    (broden / "images" / "two.jpg").unlink()
    with pytest.raises(ConceptDataError, match=r"two\.jpg: there is no such file"):
        dataset.photograph(1)
    Image.new("RGB", (4, 6)).save(broden / "images" / "two.jpg")
    with pytest.raises(ConceptDataError, match=r"two\.jpg: it is 4 pixels wide and 6 high; 6 by 4 is needed"):
        dataset.photograph(1)


def test_fingerprint_follows_the_data_and_not_the_place(broden: Path, tmp_path: Path) -> None:
    original = fingerprint(BrodenLayout(broden))
    elsewhere = tmp_path / "elsewhere" / "under another name"
    shutil.copytree(broden, elsewhere)
    assert fingerprint(BrodenLayout(elsewhere)) == original
    prints = {original}
    for change in (
        replacing("index.csv", "700;0;4,7", "700;0;4,"),
        replacing("label.csv", "door,", "gate,"),
        replacing("index.csv", "three.jpg,val,4,6,2,3", "three.jpg,val,4,6,3,3"),
        spoil_png(lambda file: label_png(file, [[700, 700, 0], [0, 0, 0]])),
        lambda root: Image.new("RGB", (6, 4)).save(root / "images" / "two.jpg"),
    ):
        change(elsewhere)
        prints.add(fingerprint(BrodenLayout(elsewhere)))
    assert len(prints) == 6
    (elsewhere / "images" / "two.jpg").unlink()
    with pytest.raises(ConceptDataError, match=r"two\.jpg"):
        fingerprint(BrodenLayout(elsewhere))


def test_fingerprint_tells_how_far_it_is(broden: Path) -> None:
    seen: list[tuple[int, int]] = []
    fingerprint(BrodenLayout(broden), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_limit_takes_images_evenly(broden: Path) -> None:
    two, whole = open_concepts(broden, limit=2), open_concepts(broden)
    for index, place in enumerate(spread_evenly(3, 2)):
        assert two.image_name(index) == whole.image_name(place)
        assert two.labels(index).whole == whole.labels(place).whole
        assert two.photograph(index).size == whole.photograph(place).size
    assert two.concepts == open_concepts(broden).concepts
    assert two.name == "small (2 of 3 images)"
    assert fingerprint(two) != fingerprint(open_concepts(broden))
    assert fingerprint(open_concepts(broden, limit=99)) == fingerprint(open_concepts(broden))
    with pytest.raises(ConceptDataError, match="at least 1"):
        open_concepts(broden, limit=0)


VOCABULARY = [
    Concept(1, "sky", "object"),
    Concept(3, "wheel", "part"),
    Concept(256, "wood", "material"),
    Concept(65535, "street-s", "scene"),
]
CATEGORIES = [concept.category for concept in VOCABULARY]
NUMBERS = [concept.number for concept in VOCABULARY]

label_maps = st.lists(st.sampled_from([0, *NUMBERS]), min_size=6, max_size=6).map(
    lambda numbers: np.array(numbers, np.int32).reshape(2, 3)
)
cells = st.lists(label_maps | st.sampled_from([0, *NUMBERS]), max_size=3)
images = st.dictionaries(st.sampled_from(CATEGORIES), cells)


def write(folder: Path, written: list[dict[str, list[Any]]]) -> None:
    with writing_broden(folder, VOCABULARY, label_size=(2, 3)) as writer:
        for index, labels in enumerate(written):
            writer.add(f"set/{index}.png", Image.new("RGB", (5, 4), (index * 9 % 256, 0, 0)), labels)


def expected_planes(labels: dict[str, list[Any]], number: int) -> np.ndarray[Any, Any]:
    plane = np.zeros((2, 3), bool)
    for layers in labels.values():
        for layer in layers:
            plane |= np.broadcast_to(np.asarray(layer) == number, (2, 3))
    return plane


def found_planes(labels: Labels, number: int) -> np.ndarray[Any, Any]:
    return (labels.maps == number).any(0) | np.bool_(number in labels.whole)


@settings(max_examples=40, deadline=None)
@given(written=st.lists(images, min_size=1, max_size=4))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, list[Any]]]) -> None:
    folder = tmp_path_factory.mktemp("broden") / "written"
    write(folder, written)
    dataset = BrodenLayout(folder)
    assert [dataset.image_name(index) for index in range(len(dataset))] == [f"set/{i}.jpg" for i in range(len(written))]
    assert list(dataset.categories) == CATEGORIES
    for index, labels in enumerate(written):
        read = dataset.labels(index)
        assert dataset.photograph(index).size == (5, 4)
        for number in NUMBERS:
            np.testing.assert_array_equal(found_planes(read, number), expected_planes(labels, number))
    check_support(dataset, folder, written)


def check_support(dataset: BrodenLayout, folder: Path, written: list[dict[str, list[Any]]]) -> None:
    """The tables hold what counting by hand gives, and the primary category follows from it."""
    for concept in VOCABULARY:
        shares = {
            category: [
                expected_planes({category: labels.get(category, [])}, concept.number).mean() for labels in written
            ]
            for category in CATEGORIES
        }
        coverage = {category: sum(shares[category]) for category in CATEGORIES if any(shares[category])}
        row = next(r for r in rows(folder / "label.csv") if r["number"] == str(concept.number))
        total = [expected_planes(labels, concept.number).mean() for labels in written]
        assert int(row["frequency"]) == sum(share > 0 for share in total)
        assert float(row["coverage"]) == pytest.approx(sum(total))
        best = max(coverage.values(), default=0.0)
        ties = [category for category, amount in coverage.items() if amount == pytest.approx(best)]
        assert dataset.concepts[concept.number].category in (ties or [concept.category])


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_tables_as_broden_has_them(tmp_path: Path) -> None:
    grass = np.array([[3, 3, 0], [0, 0, 0]], np.int32)
    write(tmp_path / "new", [{"object": [1], "part": [grass]}, {"object": [grass, 3], "scene": [65535]}])
    read = {file.name: file.read_text() for file in (tmp_path / "new").glob("*.csv")}
    assert read["category.csv"] == (
        "name,first,last,count,frequency\nobject,1,3,2,2\npart,3,3,1,1\nmaterial,256,256,1,0\nscene,65535,65535,1,1\n"
    )
    assert read["index.csv"] == (
        "image,split,ih,iw,sh,sw,object,part,material,scene\n"
        "set/0.jpg,train,4,5,2,3,1,set/0_part.png,,\n"
        "set/1.jpg,train,4,5,2,3,set/1_object.png;3,,,65535\n"
    )
    assert read["c_object.csv"] == "code,number,name,frequency,coverage\n1,1,sky,1,1.0\n2,3,wheel,1,1.0\n"
    assert [row["category"] for row in rows(tmp_path / "new" / "label.csv")] == [
        "object(1)",
        "object(1);part(1)",
        "material(0)",
        "scene(1)",
    ]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    labels = [{"object": [1], "part": [np.full((2, 3), 3, np.int32)]}]
    contents = []
    for name in ("a", "b"):
        write(tmp_path / name, labels)
        files = sorted(file for file in (tmp_path / name).rglob("*") if file.is_file())
        contents.append([(file.relative_to(tmp_path / name), file.read_bytes()) for file in files])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError])
def test_nothing_is_left_after_a_failure(tmp_path: Path, error: Any) -> None:
    def fail() -> None:
        with writing_broden(tmp_path / "new", VOCABULARY, label_size=(2, 3)) as writer:
            writer.add("a.jpg", Image.new("RGB", (5, 4)), {"object": [1]})
            assert any(tmp_path.rglob("a.jpg"))
            raise error

    with pytest.raises((KeyboardInterrupt, OutputError, ValueError)):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="No space left"),
        writing_broden(tmp_path / "new", VOCABULARY, label_size=(2, 3)),
    ):
        raise OSError(28, "No space left on device")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    write(tmp_path / "old", [{}])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="already exists; name another folder"):
        write(tmp_path / "old", [{}, {}])
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "labels", "words"),
    [
        ("../a.jpg", {}, "cannot be used"),
        ("/a.jpg", {}, "cannot be used"),
        ("a;b.jpg", {}, "cannot be used"),
        ("first.png", {}, "written twice"),
        ("a.jpg", {"object": [2]}, "label 2"),
        ("a.jpg", {"object": [np.full((2, 3), 9, np.int32)]}, "label 9"),
        ("a.jpg", {"texture": [1]}, "texture"),
    ],
)
def test_images_that_cannot_be_written(tmp_path: Path, name: str, labels: Any, words: str) -> None:
    with writing_broden(tmp_path / "new", VOCABULARY, label_size=(2, 3)) as writer:
        writer.add("first.jpg", Image.new("RGB", (5, 4)), {})
        with pytest.raises(ConceptDataError, match=words):
            writer.add(name, Image.new("RGB", (5, 4)), labels)


def test_a_map_of_another_size_cannot_be_written(tmp_path: Path) -> None:
    with (
        writing_broden(tmp_path / "new", VOCABULARY, label_size=(2, 3)) as writer,
        pytest.raises(ValueError, match=r"\(3, 2\)"),
    ):
        writer.add("a.jpg", Image.new("RGB", (5, 4)), {"object": [np.ones((3, 2), np.int32)]})


@pytest.mark.parametrize("concept", [Concept(0, "a", "object"), Concept(65536, "a", "object"), Concept(1, "a", "x/y")])
def test_concepts_that_cannot_be_written(tmp_path: Path, concept: Concept) -> None:
    with (
        pytest.raises(ConceptDataError, match="needed"),
        writing_broden(tmp_path / "new", [concept], label_size=(2, 3)),
    ):
        pass


@pytest.mark.skipif(not MINI.exists(), reason="the sample data are not here")
def test_mini_broden_is_read_as_it_is() -> None:
    dataset = open_concepts(MINI)
    assert (len(dataset), len(dataset.concepts)) == (1059, 202)
    assert list(dataset.categories) == ["texture", "part", "object"]
    seen = {dataset.image_name(index).split("/")[0]: index for index in range(len(dataset))}
    for category, index in seen.items():
        labels = dataset.labels(index)
        numbers = [*labels.whole, *(number for number in np.unique(labels.maps).tolist() if number)]
        assert numbers
        assert {dataset.concepts[number].category for number in numbers} == {category}
        assert labels.maps.shape[1:] == (112, 112)
