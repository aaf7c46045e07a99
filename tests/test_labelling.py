"""Photographs without masks, labelled by a model whose labels are known by arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from colour_segmenter import SHARPNESS, WORDS
from PIL import Image
from worlds import COLOURS, MemoryConcepts, colour_concepts, colour_network, colour_square, write_colour_folder

from db import NameStore
from db.exchange.plain_files import read_json, write_json
from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.checking import check
from dissection.concepts.conversion import Sizes, convert
from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.joining import Joined
from dissection.concepts.layouts import open_concepts
from dissection.concepts.model_labels import (
    MODEL_LABELS,
    ModelLabels,
    model_labels_of,
    name_with_labels,
    read_model_labels,
)
from dissection.concepts.notes import licence_of
from dissection.concepts.plain_layout import PlainLayout
from dissection.errors import ConceptDataError, NetworkError, OutputError
from dissection.labelling.class_words import class_words, words_in
from dissection.labelling.label_file import LabelFile
from dissection.labelling.mask_quality import MaskQuality, check_masks, shared_words
from dissection.labelling.opening import open_segmenter
from dissection.labelling.request import LabellerRequest
from dissection.labelling.running import label
from dissection.vocabulary import Concept, Labels
from neuronexplain import building
from neuronexplain.building import build
from neuronexplain.explaining import explain
from neuronexplain.report.page import article

if TYPE_CHECKING:
    from dissection.labelling.segmenter import Segmenter

HERE = Path(__file__).parent
MODEL = f"{HERE / 'colour_segmenter.py'}:make"
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1), "input_size": 32}
SIZES = Sizes(32, 32, 1)


def colours(**settings: Any) -> Segmenter:
    return open_segmenter(LabellerRequest(**{"model": MODEL, "words": WORDS, "preprocessing": PLAIN} | settings))


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """The squares as photographs alone, in subfolders."""
    world = colour_concepts(12)
    for index, photograph in enumerate(world.photographs):
        (tmp_path / "photos" / f"{index % 2}").mkdir(parents=True, exist_ok=True)
        photograph.save(tmp_path / "photos" / f"{index % 2}" / f"{index:03}.png")
    return tmp_path / "photos"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_labels_are_the_colours(squares: Path, tmp_path: Path) -> None:
    labelled = label(squares, tmp_path / "data", colours(), sizes=SIZES)
    assert (labelled.summary.images, labelled.summary.concepts) == (12, 4)
    assert not check(tmp_path / "data")
    dataset, world = BrodenLayout(tmp_path / "data"), colour_concepts(12)
    assert [concept.name for concept in dataset.concepts.values()] == list(COLOURS)
    assert dataset.categories == ("object",)
    for index in range(12):
        original = int(Path(dataset.image_name(index)).stem)
        assert np.array_equal(dataset.labels(index).maps, world.labels(original).maps)


def test_a_photograph_is_labelled_upright(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    upright = colour_square("red", at=(0, 16), side=8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    upright.rotate(90).save(tmp_path / "photos" / "turned.png", exif=exif)
    label(tmp_path / "photos", tmp_path / "data", colours(), sizes=SIZES)
    expected = np.zeros((32, 32), np.int32)
    expected[16:24, :8] = 1
    assert np.array_equal(BrodenLayout(tmp_path / "data").labels(0).maps[0], expected)


def test_what_the_model_is_less_sure_of_is_not_labelled() -> None:
    between = Image.new("RGB", (32, 32), (130, 0, 0))  # a little nearer to red than to black
    distances = [
        sum((a - b / 255) ** 2 for a, b in zip((130 / 255, 0, 0), colour, strict=True))
        for colour in ((0, 0, 0), *COLOURS.values())
    ]
    shares = np.exp(-SHARPNESS * np.array(distances))
    confidence = float((shares / shares.sum()).max())
    assert 0.5 < confidence < 0.75
    (seen,) = colours().segment([between], 8)
    assert seen.labels.tolist() == np.full((1, 8, 8), 1).tolist()
    assert seen.confidence == pytest.approx(confidence, abs=1e-5)
    (labels,), (none,) = colours().label([between], 8), colours(min_confidence=0.75).label([between], 8)
    assert labels.any()
    assert none.shape == (0, 8, 8)


def test_a_single_word_is_there_or_not() -> None:
    (seen,) = colours(model=MODEL.replace(":make", ":redness"), words=("red",)).segment([colour_square("red")], 32)
    expected = np.zeros((32, 32), np.int32)
    expected[6:18, 4:16] = 1
    assert np.array_equal(seen.labels[0], expected)
    assert seen.confidence.min() >= 0.5


def test_only_some_words_may_be_kept(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(WORDS))
    kept = colours(classes=WORDS, words=("Blue", "red"))
    assert [concept.name for concept in kept.words.concepts.values()] == ["red", "blue"]
    (labels,) = kept.label([colour_square("green")], 32)
    assert not labels.any()
    with pytest.raises(NetworkError, match=r"no word 'rod'; choose one of its"):
        colours(classes=WORDS, words=("rod",))


def test_words_of_labels() -> None:
    ade = class_words(["wall, partition", "background", "LABEL_2", "Wall", "bed "], "x", category="part")
    assert ade.concepts == {1: Concept(1, "wall", "part"), 2: Concept(2, "bed", "part")}
    assert ade.synonyms == {1: ("partition",)}
    assert ade.numbers.tolist() == [1, 0, 0, 1, 2]
    coco = class_words(["N/A", "tree-merged", "wall-brick", "door-stuff"], "x")
    assert [concept.name for concept in coco.concepts.values()] == ["tree", "brick wall", "door"]
    with pytest.raises(NetworkError, match=r"x has no words for its 2 classes; name them: --classes"):
        class_words(["LABEL_0", "LABEL_1"], "x")
    assert words_in(" white  coat,, hair,hair") == ("white coat", "hair")


class TestResuming:
    def test_a_killed_run_goes_on_to_the_same_bytes(self, squares: Path, tmp_path: Path) -> None:
        label(squares, tmp_path / "whole", colours(), sizes=SIZES, batch_size=4)
        command = [sys.executable, str(HERE / "colour_segmenter.py"), str(squares), str(tmp_path / "killed"), "2"]
        paths = [str(HERE), str(HERE.parent)]
        done = subprocess.run(command, env={"PYTHONPATH": ":".join(paths)}, capture_output=True, check=False)
        assert done.returncode == -9, done.stderr
        assert not (tmp_path / "killed").exists()
        segmenter = colours()
        label(squares, tmp_path / "killed", segmenter, sizes=SIZES, batch_size=4)
        assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
        assert not list(tmp_path.glob(".killed*"))

    @pytest.mark.parametrize("stop", [1, 13, 14, 15, 20, 30, 39])
    def test_each_photograph_goes_through_the_model_once(self, squares: Path, tmp_path: Path, stop: int) -> None:
        label(squares, tmp_path / "whole", colours(), sizes=SIZES, batch_size=4)
        steps = 0

        def count(stage: str, done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps == stop:
                raise KeyboardInterrupt

        segmenter, seen = colours(), []

        def segment(photographs: Any, size: int) -> Any:
            seen.extend(photographs)
            return segmenter.segment(photographs, size)

        watched = replace(segmenter, segment=segment)
        with pytest.raises(KeyboardInterrupt):
            label(squares, tmp_path / "data", watched, sizes=SIZES, batch_size=4, progress=count)
        label(squares, tmp_path / "data", watched, sizes=SIZES, batch_size=4)
        assert len(seen) == 12
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")

    def test_other_settings_start_anew(self, squares: Path, tmp_path: Path) -> None:
        def stop(stage: str, done: int, total: int) -> None:
            if stage == "converting":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            label(squares, tmp_path / "data", colours(), sizes=SIZES, progress=stop)
        kept = colours(classes=WORDS, words=("red",))
        assert label(squares, tmp_path / "data", kept, sizes=SIZES).summary.concepts == 1

    def test_damaged_label_maps_are_made_again(self, tmp_path: Path) -> None:
        maps = [np.full((1, 4, 4), number, np.int32) for number in range(3)]
        LabelFile(tmp_path / "labels").append(maps)
        content = (tmp_path / "labels").read_bytes()
        for place in range(0, len(content), 7):
            spoilt = bytearray(content)
            spoilt[place] ^= 0x10
            (tmp_path / "labels").write_bytes(spoilt)
            file = LabelFile(tmp_path / "labels")
            sound = len(file)
            assert sound < 3
            file.cut(sound)
            file.append(maps[sound:])
            assert (tmp_path / "labels").read_bytes() == content
        for size in range(len(content)):
            (tmp_path / "labels").write_bytes(content[:size])
            file = LabelFile(tmp_path / "labels")
            assert [file.read(index).max() for index in range(len(file))] == list(range(len(file)))


def slow_check(
    predicted: list[np.ndarray], truth: list[Labels], pairs: dict[int, set[int]], category: dict[int, str]
) -> dict[int, Any]:
    """IoU, precision and recall of each predicted number, pixel by pixel."""
    results = {}
    for number, numbers in pairs.items():
        both = mine = real = 0
        for maps, labels in zip(predicted, truth, strict=True):
            on_image = {int(value) for value in labels.maps.ravel() if value} | set(labels.whole)
            if not {category[value] for value in on_image} & {category[value] for value in numbers}:
                continue
            for y in range(maps.shape[1]):
                for x in range(maps.shape[2]):
                    here = number in maps[:, y, x].tolist()
                    there = bool(numbers & set(labels.maps[:, y, x].tolist()))
                    both, mine, real = both + (here and there), mine + here, real + there
        if mine or real:
            results[number] = (
                both / (mine + real - both),
                both / mine if mine else None,
                both / real if real else None,
                real,
            )
    return results


def test_the_check_is_that_of_a_slow_count(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)

    concepts = {
        1: Concept(1, "Red", "object"),
        2: Concept(2, "green", "part"),
        3: Concept(3, "blue-s", "scene"),
        4: Concept(4, "green", "material"),
        5: Concept(5, "owl", "texture"),
    }

    class Words(MemoryConcepts):
        synonyms: ClassVar = {1: ("crimson",), 5: ("yellow",)}

    words = Words([], [], concepts, ("object", "part", "scene", "material", "texture"))
    segmenter = colours()
    assert shared_words(segmenter, words) == {1: (1,), 2: (2, 4), 4: (5,)}
    quality = MaskQuality(segmenter, words)
    predicted = [generator.integers(0, 5, (2, 5, 6)).astype(np.int32) for _ in range(9)]
    truth = [
        Labels(generator.choice(numbers, (2, 5, 6)).astype(np.int32), whole)
        for numbers, whole in [([0, 1], ()), ([0, 2, 4], (3,)), ([0], (5,)), ([0, 1, 2], ())] * 2 + [([0], ())]
    ]
    for maps, labels in zip(predicted, truth, strict=True):
        quality.add(maps, labels)
    result = quality.check()
    expected = slow_check(
        predicted, truth, {1: {1}, 2: {2, 4}, 4: {5}}, {number: c.category for number, c in concepts.items()}
    )
    names = {number: segmenter.words.concepts[number].name for number in expected}
    got = {one.name: (one.iou, one.precision, one.recall, one.pixels) for one in result.concepts}
    assert got == {names[number]: values for number, values in expected.items()}
    assert result.mean_iou == pytest.approx(np.mean([values[0] for values in expected.values()]))
    assert result.images == 9


class TestChecked:
    @pytest.fixture
    def truth(self, tmp_path: Path) -> PlainLayout:
        """Squares, of which the red ones are labelled a row too large."""
        root = write_colour_folder(tmp_path / "truth", 8)
        for index in (0, 4):
            mask = root / "masks" / sorted(path.name for path in (root / "masks").iterdir())[index]
            numbers = np.array(Image.open(mask))
            (rows,) = np.nonzero((numbers == 1).any(1))
            (columns,) = np.nonzero((numbers == 1).any(0))
            numbers[rows[-1] + 1, columns] = 1
            Image.fromarray(numbers).save(mask)
        return PlainLayout(root, label_size=32)

    def test_figures_are_kept_and_said(self, squares: Path, tmp_path: Path, truth: PlainLayout) -> None:
        labelled = label(squares, tmp_path / "data", colours(), sizes=SIZES, against=truth)
        assert labelled.note.checked
        figures = {one.name: (one.iou, one.precision, one.recall) for one in labelled.note.checked.concepts}
        assert figures["red"] == pytest.approx((12 / 13, 1.0, 12 / 13))
        assert figures["green"] == (1.0, 1.0, 1.0)
        assert labelled.note.checked.mean_iou == pytest.approx((3 + 12 / 13) / 4)
        kept = read_model_labels((tmp_path / "data" / MODEL_LABELS).read_bytes(), tmp_path)
        assert kept == labelled.note
        assert kept.by[0].weights == colours().by[0].weights
        assert kept.software.keys() == {"torch"}
        dataset = open_concepts(tmp_path / "data")
        assert model_labels_of(dataset) == "labels by make, checked: IoU .98"
        assert "The labels are a model's" in licence_of(dataset)
        without = label(squares, tmp_path / "unchecked", colours(), sizes=SIZES)
        assert without.note.described == "labels by make, not checked"
        assert fingerprint(open_concepts(tmp_path / "unchecked")) == fingerprint(dataset), "a check changes no name"

    def test_it_goes_wherever_the_data_go(
        self, squares: Path, tmp_path: Path, truth: PlainLayout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        label(squares, tmp_path / "data", colours(), sizes=SIZES)
        joined = Joined([open_concepts(tmp_path / "data"), truth], {})
        assert model_labels_of(joined) == "labels of data by make, not checked"
        convert(joined, tmp_path / "both", size=32, label_size=32, min_images=1)
        assert name_with_labels(open_concepts(tmp_path / "both")) == "both (labels of data by make, not checked)"
        (tmp_path / "both" / "model-labels-data.json").write_text("{")
        with pytest.raises(ConceptDataError, match="not a note on a model's labels"):
            model_labels_of(open_concepts(tmp_path / "both"))
        monkeypatch.setattr(building, "_gathered", None)  # nothing is computed before
        with NameStore.create(tmp_path / "names.db") as store, pytest.raises(ConceptDataError, match="not a note"):
            build(colour_network(), open_concepts(tmp_path / "both"), store)

    def test_data_that_cannot_be_compared(self, squares: Path, tmp_path: Path, truth: PlainLayout) -> None:
        (truth.files(0)[0].parents[1] / "concepts.csv").write_text(
            "number,name,category\n" + "".join(f"{n},owl {n},object\n" for n in range(1, 5))
        )
        others = PlainLayout(tmp_path / "truth", label_size=32)
        with pytest.raises(ConceptDataError, match=r"truth has no word in common with make \(red, green"):
            check_masks(colours(), others, label_size=32, batch_size=4)


def test_runs_say_who_labelled(squares: Path, tmp_path: Path) -> None:
    label(squares, tmp_path / "data", colours(), sizes=SIZES)
    with NameStore.create(tmp_path / "names.db") as store:
        run = build(colour_network(), open_concepts(tmp_path / "data"), store, min_images=1).run
        assert run.concepts == "data (labels by make, not checked)"
        assert run.labels == "labels by make, not checked"
        explanation = explain(colour_square("red"), colour_network(), store)
        whole = store.whole(run)
    assert explanation.labels == "labels by make, not checked"
    assert explanation.to_dict()["labels"] == "labels by make, not checked"
    assert "The neurons are named after labels by make, not checked." in article(explanation)
    write_json(tmp_path / "names.json", [whole])
    (again,), _ = read_json(tmp_path / "names.json")
    assert again.run.labels == "labels by make, not checked"
    with NameStore.create(tmp_path / "people.db") as store:
        built = build(colour_network(), PlainLayout(write_colour_folder(tmp_path / "true"), label_size=32), store)
        explanation = explain(colour_square("red"), colour_network(), store)
    assert built.run.labels == ""
    assert explanation.to_dict()["labels"] is None
    assert "named after labels" not in article(explanation)


class TestRefusals:
    def refused(self, run: Any, *words: object) -> str:
        status, told, error = run("concepts", "label", *words)
        assert (status, told) == (2, "")
        assert error.count("\n") == 1, error
        return str(error)

    def test_on_the_command_line(self, run: Any, squares: Path, tmp_path: Path) -> None:
        data, own = tmp_path / "data", ["--with", MODEL, "--words", ", ".join(WORDS)]
        (tmp_path / "none").mkdir()
        (tmp_path / "taken").mkdir()
        (tmp_path / "taken" / "file").touch()
        assert "holds no photographs" in self.refused(run, tmp_path / "none", data, *own)
        assert "is not a folder" in self.refused(run, tmp_path / "nowhere", data, *own)
        assert "taken" in self.refused(run, squares, tmp_path / "taken", *own)
        assert "nothing says what the classes" in self.refused(run, squares, data, "--with", MODEL)
        assert "6 words" in self.refused(run, squares, data, "--with", MODEL, "--words", "a,b,c,d,e,f")
        assert "resnet18 is a classifier: it says what a photograph shows" in self.refused(
            run, squares, data, "--with", "resnet18"
        )
        assert "no labeller is called 'deeplab'" in self.refused(run, squares, data, "--with", "deeplab")
        assert "gives no boxes" in self.refused(run, squares, data, *own, "--masks", "hf/sam")
        assert "--check-from would be ignored" in self.refused(run, squares, data, *own, "--check-from", "voc")
        assert "--mean would be ignored" in self.refused(run, squares, data, "--with", "hf/x", "--mean", "0,0,0")
        assert not data.exists()

    def test_modules_that_do_not_label_pixels(self) -> None:
        own = MODEL.removesuffix("make")
        with pytest.raises(NetworkError, match="as a classifier does: what is shown, but not where"):
            colours(model=f"{own}classifier")
        with pytest.raises(NetworkError, match=r"and 3 words; a word for each class is needed"):
            colours(words=("a", "b", "c"))
        with pytest.raises(NetworkError, match="a NaN or an infinity"):
            colours(model=f"{own}broken")

    def test_a_bad_photograph_is_found_before_any_is_labelled(self, squares: Path, tmp_path: Path) -> None:
        (squares / "1" / "011.png").write_bytes(b"no")
        stages = []
        with pytest.raises(ConceptDataError, match=r"011\.png"):
            label(squares, tmp_path / "data", colours(), sizes=SIZES, progress=lambda *values: stages.append(values[0]))
        assert set(stages) == {"looking at the photographs"}
        (squares / "1" / "011.png").unlink()
        colour_square("red").save(squares / "1" / "009.JPG")
        with pytest.raises(ConceptDataError, match="rename one"):
            label(squares, tmp_path / "data", colours(), sizes=SIZES)

    def test_a_folder_that_is_taken(self, squares: Path) -> None:
        with pytest.raises(OutputError):
            label(squares, squares, colours(), sizes=SIZES)


def test_the_command(run: Any, squares: Path, tmp_path: Path) -> None:
    truth = write_colour_folder(tmp_path / "truth", 8)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(WORDS))
    common = [
        "--with",
        MODEL,
        "--classes",
        names,
        "--mean",
        "0,0,0",
        "--std",
        "1,1,1",
        "--input-size",
        32,
        "--size",
        32,
    ]
    common += ["--label-size", 32, "--min-images", 1]
    check = ["--check-against", truth, "--check-limit", 4]
    status, told, error = run("concepts", "label", squares, tmp_path / "data", *common, *check)
    assert status == 0, error
    assert "Mean IoU 1.00 over 2 concepts that truth (4 of 8 images) knows too, on 4 photographs of it." in told
    assert "Labels by make, checked: IoU 1.00." in told
    assert "12 images, 4 concepts" in told
    status, told, error = run("concepts", "label", squares, tmp_path / "again", *common, "--json")
    values = json.loads(told)
    assert (status, values["images"], values["labels"]["checked"]) == (0, 12, None)
    assert values["labels"]["min_confidence"] == 0
    assert ModelLabels(**{**values["labels"], "by": ()}).described
