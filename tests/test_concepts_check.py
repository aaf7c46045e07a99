"""The linter finds everything at once; the survey counts concepts and says which are too common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from broden import writing_broden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.checking import check, inspect
from dissection.concepts.conversion import convert
from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.layouts import open_concepts
from dissection.concepts.plain_layout import PlainLayout
from dissection.concepts.problems import Problem
from dissection.concepts.surveys import areas, out_of_reach, survey
from dissection.concepts.wrappers import spread_evenly
from dissection.errors import ConceptDataError
from dissection.vocabulary import MIN_IOU, Concept, ConceptSupport, Labels

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = [Concept(1, "sky", "object"), Concept(2, "wheel", "part"), Concept(300, "beach-s", "scene")]


@pytest.fixture
def broden(tmp_path: Path) -> Path:
    with writing_broden(tmp_path / "broden", VOCABULARY, label_size=(2, 2)) as writer:
        for index in range(8):
            maps = [np.array([[1, 1], [0, 0]], np.int32), np.array([[1, 0], [0, 1]], np.int32)]
            labels: dict[str, list[Any]] = {"object": maps, "scene": [300], "part": [np.full((2, 2), 2, np.int32)]}
            writer.add(f"{index}.jpg", Image.new("RGB", (4, 4)), labels)
    return tmp_path / "broden"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "concepts.csv").write_text("number,name,category\n1,sky,object\n2,sea,object\n")
    for index in range(8):
        Image.new("RGB", (4, 4)).save(root / "images" / f"{index}.jpg")
        Image.new("L", (4, 4), 1 + index % 2).save(root / "masks" / f"{index}.png")
    return root


def animate(file: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def briefly(problems: list[Problem]) -> dict[str, str]:
    errors = [problem for problem in problems if problem.severity == "error"]
    found = {problem.file: problem.what for problem in errors}
    assert len(found) == len(errors), "one error each, in these tests"
    return found


def test_good_data_have_no_problems(broden: Path, plain: Path) -> None:
    assert check(broden) == []
    assert check(plain) == []


def test_every_bad_file_of_brodens_layout(broden: Path) -> None:
    images = broden / "images"
    (images / "0.jpg").unlink()
    (images / "1.jpg").write_bytes((images / "1.jpg").read_bytes()[:-200])
    animate(images / "2.jpg")
    Image.new("RGB", (4, 5)).save(images / "3.jpg")
    (images / "4_object.png").unlink()
    Image.new("RGB", (3, 3)).save(images / "4_object_1.png")
    Image.new("RGB", (2, 2), (9, 1, 0)).save(images / "5_part.png")
    Image.new("L", (2, 2)).save(images / "6_part.png")
    (images / "7_part.png").write_bytes(b"")
    found = briefly(check(broden))
    expected = {
        "images/0.jpg": "no such file",
        "images/1.jpg": "cut short",
        "images/2.jpg": "2 frames",
        "images/3.jpg": "4 pixels wide and 5 high; 4 by 4",
        "images/4_object.png": "no such file",
        "images/4_object_1.png": "3 pixels wide and 3 high; 2 by 2",
        "images/5_part.png": "label 265",
        "images/6_part.png": "mode L",
        "images/7_part.png": "0 bytes",
    }
    assert found.keys() == expected.keys()
    assert all(words in found[file] for file, words in expected.items()), found


def test_every_bad_line_of_brodens_tables(broden: Path) -> None:
    edit(broden / "index.csv", "1.jpg,train,4,4", "1.jpg,train,four,4")
    edit(broden / "index.csv", "2.jpg,train,4,4,2,2", "2.jpg,train,4,4,2,0")
    edit(broden / "index.csv", "3.jpg,train", "../3.jpg,train")
    edit(broden / "index.csv", "4.jpg,train", "5.jpg,train")
    edit(broden / "index.csv", "6_part.png,300", "6_part.png,301")
    with (broden / "label.csv").open("a") as table:
        table.write("2,again,part(1),1,1,\n7,sky,object(1),1,1,\n8,thing,things(3),1,1,\nx,y\n9,none,scene(1),0,0,\n")
    problems = check(broden)
    lines = [(problem.file, problem.what) for problem in problems if problem.severity == "error"]
    starts = [
        ("label.csv", "line 5: number 2 appears twice"),
        ("label.csv", "line 7: category 'things' is not in category.csv"),
        ("label.csv", "line 8: 2 cells"),
        ("index.csv", "line 3: ih is 'four'"),
        ("index.csv", "line 4: sw is '0'"),
        ("index.csv", "line 5: '../3.jpg' leads out"),
        ("index.csv", "line 7: image '5.jpg' appears twice"),
        ("index.csv", "line 8: label 301"),
    ]
    assert len(lines) == len(starts), lines
    for (file, what), (expected, start) in zip(lines, starts, strict=True):
        assert (file, what[: len(start)]) == (expected, start)
    warnings = [(problem.file, problem.what) for problem in problems if problem.severity == "warning"]
    assert warnings == [
        ("label.csv", "object 'sky' is both 1 and 7; use one number"),
        ("label.csv", "label 7 (sky) is on no image; remove it, unless images of it are to come"),
        ("label.csv", "label 9 (none) is on no image; remove it, unless images of it are to come"),
    ]


def test_blue_in_a_label_map_is_another_code(broden: Path) -> None:
    Image.new("RGB", (2, 2), (2, 0, 1)).save(broden / "images" / "5_part.png")
    Image.new("RGBA", (2, 2), (2, 0, 0, 255)).save(broden / "images" / "6_part.png")
    assert "1 of blue" in briefly(check(broden))["images/5_part.png"]
    with pytest.raises(ConceptDataError, match=r"5_part\.png: a pixel has 1 of blue"):
        BrodenLayout(broden).labels(5)


def test_masks_without_a_label_are_warned_of_and_all_of_them_are_an_error(plain: Path, broden: Path) -> None:
    empty = Image.new("L", (4, 4))
    for index in range(2):
        empty.save(plain / "masks" / f"{index}.png")
    problems = check(plain)
    assert [(problem.file, problem.severity) for problem in problems] == [
        ("masks/0.png", "warning"),
        ("masks/1.png", "warning"),
    ]
    assert all("0 throughout" in problem.what for problem in problems)
    for index in range(8):
        empty.save(plain / "masks" / f"{index}.png")
    assert "every label map is 0 throughout" in briefly(check(plain))["."]
    Image.new("RGB", (2, 2)).save(broden / "images" / "5_part.png")
    assert not briefly(check(broden)), "it still has its scene and its object"


def test_of_many_masks_without_a_label_some_are_named(plain: Path) -> None:
    for index in range(30):
        Image.new("RGB", (4, 4)).save(plain / "images" / f"more-{index}.jpg")
        Image.new("L", (4, 4)).save(plain / "masks" / f"more-{index}.png")
    whats = [problem.what for problem in check(plain)]
    assert len(whats) == 21
    assert whats[-1] == "10 more images have label maps of 0 throughout; label them, if something in them has a name"


@pytest.mark.parametrize(
    ("table", "swapped"),
    [
        ("1,object,sky\n2,object,sea\n", True),
        ("1,thing,sky\n2,thing,sea\n", True),
        ("1,part,sky\n2,object,sea\n", True),
        ("1,sky,object\n2,sea,object\n", False),
        ("1,sky,nature\n2,sea,nature\n", False),
        ("1,sky,nature\n2,object,object\n", False),
    ],
)
def test_a_name_and_a_category_that_are_swapped(plain: Path, table: str, swapped: bool) -> None:
    (plain / "concepts.csv").write_text(f"number,name,category\n{table}")
    problems = [(problem.file, problem.severity) for problem in check(plain) if "swapped" in problem.what]
    assert problems == [("concepts.csv", "warning")] * swapped


def test_one_changed_bit_in_a_mask_is_found(plain: Path, broden: Path) -> None:
    for root, name in ((plain, "masks/3.png"), (broden, "images/5_part.png"), (broden, "images/4_object.png")):
        data = bytearray((root / name).read_bytes())
        data[-20] ^= 4
        (root / name).write_bytes(data)
        assert "checksum" in {problem.file: problem.what for problem in check(root)}[name]


def test_names_that_are_not_utf_8_work(plain: Path, tmp_path: Path) -> None:
    for folder, ending in (("images", ".jpg"), ("masks", ".png")):
        (plain / folder / f"0{ending}").rename(plain / folder / f"caf\udce9{ending}")
    plain = plain.rename(tmp_path / "d\udce9")
    assert check(plain) == []
    dataset = open_concepts(plain)
    assert (dataset.name, dataset.image_name(len(dataset) - 1)) == ("d%E9", "caf%E9.jpg")
    assert len(fingerprint(dataset)) == 64
    summary = convert(dataset, tmp_path / "new\udce9", size=4, label_size=4, min_images=1)
    assert summary.images == 8
    assert check(tmp_path / "new\udce9") == []
    (plain / "masks/caf\udce9.png").unlink()
    (problem,) = check(plain)
    assert (problem.file, problem.what) == ("images/caf%E9.jpg", "it has no mask; masks/caf%E9.png is needed")


def test_a_frequency_that_the_pixels_do_not_show(broden: Path) -> None:
    edit(broden / "label.csv", "scene(8),8", "scene(8),9")
    assert check(broden) == [
        Problem("label.csv", "label 300 (beach-s) is on 8 images, frequency says 9; correct one of the two", "warning")
    ]


@pytest.mark.parametrize("table", ["label.csv", "category.csv"])
def test_a_missing_table_is_one_problem(broden: Path, table: str) -> None:
    (broden / table).unlink()
    ((file, what),) = briefly(check(broden)).items()
    assert file == table
    assert "no such file" in what


def test_without_an_index_the_folder_has_no_layout(broden: Path) -> None:
    (broden / "index.csv").unlink()
    assert "found in it: c_object.csv" in briefly(check(broden))["."]


def test_every_bad_file_of_the_plain_layout(plain: Path) -> None:
    (plain / "masks" / "0.png").unlink()
    (plain / "images" / "1.jpg").unlink()
    (plain / "images" / "2.jpg").write_bytes(b"")
    animate(plain / "images" / "3.jpg")
    Image.new("L", (4, 5), 1).save(plain / "masks" / "4.png")
    Image.new("L", (4, 4), 255).save(plain / "masks" / "5.png")
    Image.new("RGB", (4, 4)).save(plain / "masks" / "6.png")
    (plain / "images" / "7.jpg").write_bytes((plain / "images" / "7.jpg").read_bytes()[:-200])
    with (plain / "concepts.csv").open("a") as table:
        table.write("3,sand,object\n")
    found = briefly(check(plain))
    expected = {
        "images/0.jpg": "no mask",
        "masks/1.png": "no photograph",
        "images/2.jpg": "0 bytes",
        "images/3.jpg": "2 frames",
        "masks/4.png": "4 pixels wide and 5 high; 4 by 4",
        "masks/5.png": "label 255",
        "masks/6.png": "mode RGB",
        "images/7.jpg": "cut short",
    }
    assert found.keys() == expected.keys()
    assert all(words in found[file] for file, words in expected.items()), found
    assert Problem(
        "concepts.csv", "label 3 (sand) is on no image; remove it, unless images of it are to come", "warning"
    ) in check(plain)


def test_a_refused_line_does_not_spoil_every_image(plain: Path) -> None:
    edit(plain / "concepts.csv", "2,sea,object", "2,,object")
    assert [problem.what for problem in check(plain)] == ["line 3: name is empty; fill it in"]


def test_no_dataset_is_one_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "none")
    assert "no such folder" in problem.what
    (tmp_path / "concepts.csv").write_text("number,name,category\n1,sky,object\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    (problem,) = check(tmp_path)
    assert "no images" in problem.what


def test_progress_is_told(plain: Path) -> None:
    seen: list[tuple[int, int]] = []
    check(plain, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(index, 8) for index in range(1, 9)]


def test_survey_counts_pixels_once_however_many_layers(broden: Path) -> None:
    found = survey(BrodenLayout(broden))
    assert (found.images, found.pixels) == (8, 32)
    assert found.concepts == (
        ConceptSupport(VOCABULARY[0], 8, 8 * 3),
        ConceptSupport(VOCABULARY[1], 8, 8 * 4),
        ConceptSupport(VOCABULARY[2], 8, 8 * 4),
    )
    assert inspect(broden).survey == found
    assert survey(open_concepts(broden, limit=4)).images == 4


def test_a_limit_is_spread_over_the_whole_dataset(plain: Path) -> None:
    some = open_concepts(plain, limit=3)
    numbers = [int(some.image_name(index).removesuffix(".jpg")) for index in range(len(some))]
    assert numbers == spread_evenly(8, 3)


@given(images=st.integers(1, 200), data=st.data())
def test_a_limit_takes_one_image_of_each_stretch(images: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, images))
    chosen = spread_evenly(images, count)
    assert len(chosen) == count
    steps = np.diff([-1, *chosen, images])
    assert steps.min() >= 1
    assert steps.max() <= 2 * -(-images // count)


@pytest.mark.parametrize("classes", [2, 3, 12, 13, 34])
def test_a_limit_favours_no_class_where_classes_go_round(classes: int) -> None:
    for images, count in ((600, 600 // classes), (600, 400), (1200, 600), (5000, 399), (5000, 5000 // classes)):
        numbers = np.bincount(np.array(spread_evenly(images, count)) % classes, minlength=classes)
        expected = count / classes
        assert ((numbers - expected) ** 2 / expected).sum() < classes + 4 * (2 * classes) ** 0.5


def test_survey_of_the_plain_layout(plain: Path) -> None:
    found = survey(PlainLayout(plain, label_size=3))
    assert [(support.images, support.pixels) for support in found.concepts] == [(4, 36), (4, 36)]
    assert found.pixels == 72


@given(
    numbers=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    whole=st.lists(st.integers(1, 4), max_size=2, unique=True),
)
def test_areas(numbers: list[int], whole: list[int]) -> None:
    maps = np.array(numbers, np.int32).reshape(2, 2, 3)
    expected = {
        number: sum(
            number in whole or any(maps[layer, row, column] == number for layer in range(2))
            for row in range(2)
            for column in range(3)
        )
        for number in range(1, 5)
    }
    assert areas(Labels(maps, tuple(whole))) == {number: area for number, area in expected.items() if area}


def support(pixels: int) -> ConceptSupport:
    return ConceptSupport(VOCABULARY[0], 20, pixels)


def test_what_is_out_of_reach() -> None:
    (grass,) = out_of_reach([support(150), support(99), support(4), support(0)], 1000)
    assert grass.share == 0.15
    assert grass.best_iou == pytest.approx(0.005 / 0.15)
    assert grass.quantile == 0.0075
    assert out_of_reach([support(150)], 1000, quantile=grass.quantile) == ()
    assert out_of_reach([support(150)], 1000, min_iou=0.03) == ()
    assert out_of_reach([], 0) == ()


def test_the_most_common_comes_first() -> None:
    assert [one.share for one in out_of_reach([support(200), support(400), support(300)], 1000)] == [0.4, 0.3, 0.2]


@given(
    lit=st.integers(1, 8),
    truth=st.lists(st.booleans(), min_size=40, max_size=40),
    mask=st.permutations(range(40)),
    labelled=st.integers(0, 40),
)
def test_no_unit_beats_the_bound(lit: int, truth: list[bool], mask: list[int], labelled: int) -> None:
    """40 pixels, the last of them on images without a label of the category: no mask could be better placed."""
    concept = {pixel for pixel in range(labelled) if truth[pixel]}
    unit = set(mask[:lit])
    area = len({pixel for pixel in unit if pixel < labelled})
    union = area + len(concept) - len(unit & concept)
    iou = len(unit & concept) / union if union else 0.0
    for one in out_of_reach([support(len(concept))], 40, quantile=lit / 40, min_iou=0.99):
        assert iou <= one.best_iou + 1e-12
        best = len(concept) * one.best_iou
        assert best == pytest.approx(lit), "a perfect unit lies wholly inside the concept"


@given(share=st.floats(0.11, 1.0))
def test_the_quantile_it_names_is_enough_and_hardly_more(share: float) -> None:
    pixels = 10**6
    (one,) = out_of_reach([support(round(share * pixels))], pixels)
    assert one.quantile / one.share >= MIN_IOU * (1 - 1e-6)
    assert one.quantile / one.share <= MIN_IOU * 1.11
    assert len(f"{one.quantile:g}".replace("0.", "").lstrip("0")) <= 2
