"""``audit compare``: two runs whose differences are known, against slow versions, and from the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_cli import one_line
from two_runs import squares_network
from worlds import CLASSES, COLOURS, colour_concepts, colour_net, colour_square

from db import NameStore
from db.records import ClassImportance
from dissection.vocabulary import Concept, Dissection, Evidence, Layer, Overlap, Unit
from neuronexplain.audit.compare import photographs as passes
from neuronexplain.audit.compare.changes import FigureChange, largest_first, may_be_nothing
from neuronexplain.audit.compare.class_changes import score_share
from neuronexplain.audit.compare.likeness import unit_likeness
from neuronexplain.audit.compare.names import concept_changes, unit_changes
from neuronexplain.audit.compare.runs import RunsCompared, compare_runs
from neuronexplain.audit.compare.speech import compared
from neuronexplain.audit.compare.tables import likeness_sentence, reports
from neuronexplain.building import build
from neuronexplain.class_images import open_class_images
from neuronexplain.metrics.intervals import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.network import Network

Run = Callable[..., tuple[int, str, str]]
PERMUTATION = [2, 0, 3, 1]


# --- figures


def test_a_difference_has_an_interval_from_both() -> None:
    change = FigureChange(Figure(10.0, 8.0, 13.0, 5), Figure(15.0, 14.0, 19.0, 7))
    assert change.difference.value == 5
    assert change.difference.low == pytest.approx(5 - math.sqrt(1**2 + 3**2))
    assert change.difference.high == pytest.approx(5 + math.sqrt(4**2 + 2**2))
    assert change.is_within_noise is False
    assert FigureChange(None, Figure(1.0, -1.0, 3.0, 2)).difference == Figure(1.0, -1.0, 3.0, 2)
    assert FigureChange(Figure(1.0, -1.0, 3.0, 2), None).is_within_noise is True
    assert FigureChange(None, Figure(1.0, math.nan, math.nan, 1)).is_within_noise is None


def test_what_is_beyond_noise_comes_first() -> None:
    figures = [(9, -1, 19), (-4, -5, -3), (3, 1, 5), (0, -1, 1), (7, math.nan, math.nan), (8, math.nan, math.nan)]
    changes = [FigureChange(None, Figure(float(value), low, high, 9)) for value, low, high in figures]
    assert [change.difference.value for change in largest_first(changes)] == [-4, 3, 8, 7, 9]
    assert [may_be_nothing(change.difference) for change in changes] == [True, False, False, True, None, None]


def test_the_interval_covers_the_true_difference() -> None:
    generator, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        before, after = generator.normal(3, 1), generator.normal(5, 2)
        sides = [Figure(value, value - 1.96 * sd, value + 1.96 * sd, 9) for value, sd in ((before, 1), (after, 2))]
        difference = FigureChange(*sides).difference
        covered += difference.low <= 2 <= difference.high
    assert 0.94 < covered / 2000 < 0.96


# --- names


def dissection(ious: np.ndarray, kept: float | None = 0.9) -> Dissection:
    """A run in which unit u overlaps concept c with these IoUs, to three digits."""
    units = []
    for number, row in enumerate(ious):
        order = sorted(np.flatnonzero(row), key=lambda column: -row[column])
        overlaps = tuple(Overlap(concept(int(column)), round(1000 * row[column]), 1000, 0, 20) for column in order)
        overlaps = tuple(replace(o, unit_area=500 + o.intersection, concept_area=500) for o in overlaps)
        best = row.max()
        runners_up = tuple(concept(int(column)) for column in order[1:] if row[column] > 0.9 * best)
        evidence = Evidence(0.01, 0.01, kept or 0.0, (best - 0.02, best + 0.02), (0.0, 0.1), runners_up, (), ())
        units.append(Unit(number, 1.0, overlaps, (), evidence if kept is not None and overlaps else None))
    return Dissection(Layer("x", len(ious), 3, 3), 0.005, 10, 100, 1000, (), tuple(units), 9 if kept else 0)


def concept(number: int) -> Concept:
    return Concept(number + 1, f"thing_{number}", "object")


def test_units_are_twins_where_numbers_mean_the_same() -> None:
    generator = np.random.default_rng(0)
    ious = generator.uniform(0, 0.3, (40, 12)) * (generator.uniform(size=(40, 12)) < 0.5)
    ious[3] = 0
    first = dissection(ious)
    same = unit_likeness(first, first)
    assert same is not None
    assert (same.units, same.twins, same.is_same) == (39, 39, True)
    assert same.cosine == pytest.approx(1)
    for others, is_same in (
        (ious[generator.permutation(40)], False),
        (ious * generator.uniform(0.7, 1, (40, 12)), True),
    ):
        likeness = unit_likeness(first, dissection(others))
        vectors = [
            [{o.concept.name: o.iou for o in unit.overlaps} for unit in run.units]
            for run in (first, dissection(others))
        ]
        twins = cosines = units = 0
        for number, mine in enumerate(vectors[0]):
            if mine and vectors[1][number]:
                values = [slow_cosine(mine, theirs) for theirs in vectors[1]]
                units, twins, cosines = (
                    units + 1,
                    twins + (values[number] >= max(values) - 1e-12),
                    cosines + values[number],
                )
        assert likeness is not None
        assert (likeness.units, likeness.twins, likeness.is_same) == (units, twins, is_same)
        assert likeness.cosine == pytest.approx(cosines / units)
    assert unit_likeness(first, dissection(ious[:5])) is None
    nothing = unit_likeness(dissection(np.zeros((4, 3))), dissection(np.zeros((4, 3))))
    assert nothing is not None
    assert not nothing.is_same


def slow_cosine(first: dict[str, float], second: dict[str, float]) -> float:
    product = sum(value * second.get(name, 0) for name, value in first.items())
    lengths = [math.sqrt(sum(value**2 for value in side.values())) for side in (first, second)]
    return product / math.prod(lengths) if all(lengths) else 0.0


def test_concepts_and_units_whose_names_changed() -> None:
    before = np.array([[0.30, 0.1, 0], [0.20, 0.19, 0], [0, 0.06, 0], [0, 0.2, 0], [0, 0.3, 0], [0, 0, 0.01]])
    after = np.array([[0.30, 0.1, 0], [0.19, 0.20, 0], [0, 0.02, 0], [0, 0, 0.2], [0, 0.31, 0], [0, 0, 0.01]])
    sides = dissection(before), dissection(after)
    units = unit_changes(*sides, min_iou=0.05)
    assert (units.units, units.same, units.unnamed) == (6, 2, 1)
    names = [
        (c.unit, c.before and c.before.concept.name, c.after and c.after.concept.name, c.is_within_noise)
        for c in units.changes
    ]
    assert names == [
        (3, "thing_1", "thing_2", False),
        (1, "thing_0", "thing_1", True),  # the other name is a runner-up
        (2, "thing_1", None, True),  # the interval of its IoU reaches below the cut
    ]
    changes = {change.concept: change for change in concept_changes(*sides, min_iou=0.05)}
    counts = {
        name: tuple(side and side.value for side in (change.neurons.before, change.neurons.after))
        for name, change in changes.items()
    }
    assert counts == {"thing 0": (2, 1), "thing 1": (3, 2), "thing 2": (None, 1)}
    spread = 1.959964 * math.sqrt(3 * 0.9 * 0.1)
    neurons = changes["thing 1"].neurons.before
    assert neurons is not None
    assert (neurons.low, neurons.high, neurons.images) == (pytest.approx(3 - spread), pytest.approx(3 + spread), 20)
    iou = changes["thing 2"].iou.before
    assert iou is not None
    assert (iou.value, iou.low, iou.high) == pytest.approx((0.01, -0.01, 0.03))
    assert concept_changes(sides[0], sides[0], min_iou=0.05) == []
    assert all(
        change.is_within_noise is None
        for change in unit_changes(*(dissection(s, None) for s in (before, after)), min_iou=0.05).changes
    )


# --- classes


def test_the_share_of_a_score_is_its_definition() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(0.3, 1, (12, 5))
    importance = ClassImportance(
        0,
        "a",
        12,
        values.mean(0),
        values.mean(0),
        *(np.square(values).mean(0),) * 2,
        values.mean(0),
        np.square(values).mean(0),
    )
    share = score_share(importance, [1, 3])
    total = sum(abs(mean) for mean in values.mean(0))
    assert share.value == pytest.approx((values[:, 1].mean() + values[:, 3].mean()) / total)
    errors = values.std(0, ddof=1) / math.sqrt(12)
    assert share.high - share.value == pytest.approx(2.200985 * (errors[1] + errors[3]) / total)
    without = replace(importance, alpha_squares=None, contribution_squares=None, lits=None, lit_squares=None)
    assert math.isnan(score_share(without, [1]).low)
    assert math.isnan(score_share(replace(importance, contributions=np.zeros(5)), [1]).value)


def permute(module: Any) -> None:
    module.detect.weight.copy_(module.detect.weight[PERMUTATION].clone())
    module.detect.bias.copy_(module.detect.bias[PERMUTATION].clone())
    module.head.weight.copy_(module.head.weight[:, PERMUTATION].clone())


def leave_out_red(module: Any) -> None:
    """The class sun rested a little on red, and no longer does."""
    module.head.weight[3, 0] = 0


def squares_changed(folder: Path, name: str, change: Callable[[Any], object]) -> Network:
    """The network of squares with other weights, which lie in the folder."""
    module = colour_net()
    with torch.no_grad():
        change(module)
    save_file(module.state_dict(), folder / f"{name}.safetensors")
    return squares_network(weights=folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def squares(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """Databases of the network of squares: as it is, permuted, without red in sun, and with other classes.

    On the images of every class there is a square of its colour, and a red one.
    """

    def fill(folder: Path) -> None:
        for name, colour in zip(CLASSES, COLOURS, strict=True):
            (folder / "images" / name).mkdir(parents=True)
            for number in range(10):
                picture = colour_square(colour, at=(number, 2), side=12)
                picture.paste(COLOURS["red"], (number, 18, number + 6 + number % 3, 28))
                picture.save(folder / "images" / name / f"{number}.png")
        evidence = open_class_images(folder / "images", CLASSES)
        changes = {"plain": lambda _module: None, "permuted": permute, "without-red": leave_out_red}
        for name, change in changes.items():
            network = squares_changed(folder, name, change)
            with NameStore.create(folder / f"{name}.db") as store:
                build(network, colour_concepts(), store, quantile=0.05, draws=20, class_images=evidence)
        with NameStore.create(folder / "others.db") as store:
            others = replace(squares_network(), classes=("w", "x", "y", "z"))
            build(others, colour_concepts(), store, quantile=0.05, draws=20)

    return made_once("compared-squares", fill)


def compare(folder: Path, first: str, second: str, **options: Any) -> RunsCompared:
    with NameStore.open(folder / f"{first}.db") as store, NameStore.open(folder / f"{second}.db") as other:
        return compare_runs((store, store.newest()), (other, other.newest()), **options)


def test_of_itself_nothing_has_changed(squares: Path) -> None:
    same = compare(squares, "plain", "plain")
    assert not same.is_changed
    assert {"both are the same run", "nothing has changed"} <= set(same.notes)
    assert all(not report.rows for report in reports(same))


def test_a_permuted_copy_has_the_same_concepts_and_other_neurons(squares: Path) -> None:
    permuted = compare(squares, "plain", "permuted")
    assert permuted.units is None
    assert permuted.likeness is not None
    assert permuted.likeness.twins == sum(place == unit for place, unit in enumerate(PERMUTATION)) == 0
    assert likeness_sentence(permuted).startswith("Only 0 of 4 neurons")
    assert (permuted.concepts, permuted.lit, permuted.shares) == ((), (), ())
    assert "nothing has changed" in permuted.notes
    assert "both are the same run" not in permuted.notes


def test_the_concept_that_a_head_no_longer_uses_comes_first(squares: Path) -> None:
    changed = compare(squares, "plain", "without-red")
    assert changed.units is not None
    assert (changed.units.same, changed.units.changes, changed.concepts) == (4, (), ())
    first = changed.shares[0]
    assert (first.label, first.concept, first.change.is_within_noise) == ("sun", "red", False)
    assert first.change.after == Figure(0, 0, 0, 10)
    assert {change.label for change in changed.shares} == {"sun"}
    assert [report.title.split(",")[0] for report in reports(changed, rows=1)][
        -1
    ] == "What part of a class's score rests on a concept"
    assert all(len(report.rows) <= 1 for report in reports(changed, rows=1))


def test_what_concepts_contribute_is_what_the_stores_say(squares: Path) -> None:
    changed = compare(squares, "plain", "without-red")
    assert changed.lit is not None
    sides = []
    for name in ("plain", "without-red"):
        with NameStore.open(squares / f"{name}.db") as store:
            run = store.newest()
            sides.append({(CLASSES[i], c.concept.spoken): c.lit for i in range(4) for c in store.concepts_of(run, i)})
    differing = {key for key, lit in sides[0].items() if lit.value != sides[1][key].value}
    assert {(change.label, change.concept) for change in changed.lit} == differing
    assert differing
    for change in changed.lit:
        for figure, side in zip((change.change.before, change.change.after), sides, strict=True):
            lit = side[change.label, change.concept]
            assert figure is not None
            assert ((figure.low, figure.high), figure.value, figure.images) == (lit.interval, lit.value, lit.images)


def test_networks_without_a_class_in_common_are_compared_by_names(squares: Path) -> None:
    others = compare(squares, "plain", "others")
    assert (others.shared, others.gathered, others.shares) == (0, 0, ())
    assert any("no class in common" in note for note in others.notes)
    assert [report.title for report in reports(others)] == ["Names, concept by concept", "Names, neuron by neuron"]


# --- sentences


def said(label: str, probability: float, **words: float | None) -> dict[str, Any]:
    return {"label": label, "probability": probability, "sentence": f"It is {label}.", "words": words}


def test_what_sentences_add_up_to() -> None:
    records = [
        {
            "image": "a",
            "true": "cat",
            "right": [True, False],
            "first": said("cat", 0.9, fur=0.8),
            "second": said("dog", 0.6, fur=0.6, sky=0.7),
        },
        {
            "image": "b",
            "true": "cat",
            "right": [True, True],
            "first": said("cat", 0.9, fur=0.8),
            "second": said("Cat", 0.7, fur=0.8),
        },
        {
            "image": "c",
            "true": "",
            "right": [None, None],
            "first": said("cat", 0.9),
            "second": said("cat", 0.8, sky=None, fur=0.5),
        },
        {
            "image": "d",
            "true": "",
            "right": [None, None],
            "first": said("owl", 0.9, sky=0.5),
            "second": said("owl", 0.9),
        },
    ]
    speech = compared(records)
    assert (speech.photographs, speech.judged) == (4, 2)
    assert speech.agreement.value == 75
    assert [figure.value for figure in speech.accuracy] == [100, 50, -50]
    assert [figure.value for figure in speech.words] == [0.75, 1.25, 0.5]
    assert speech.kept.value == pytest.approx(100 * 2 / 6)
    assert [figure.value for figure in speech.truth] == pytest.approx([70, 65, -5])
    words = [(c.word, c.gained, c.lost, c.difference.value) for c in speech.word_changes]
    assert words == [("fur", 1, 0, 25), ("sky", 2, 1, 25)]
    assert [c.image for c in speech.photograph_changes] == ["c", "a", "d"]
    assert speech.photograph_changes[1].is_other_prediction
    nothing = compared([dict(record, second=record["first"], right=[None, None]) for record in records])
    assert nothing.photograph_changes == nothing.word_changes == ()
    assert nothing.agreement.value == nothing.kept.value == 100
    assert math.isnan(nothing.accuracy[0].value)


# --- the command line


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two squares of each colour, in folders named after the classes, and one that no class is named after."""
    root = tmp_path_factory.mktemp("pictures")
    for name, colour in zip((*CLASSES, "somewhere"), (*COLOURS, "red"), strict=True):
        (root / name).mkdir()
        for place in (3, 15):
            colour_square(colour, at=(place, 5)).save(root / name / f"{place}.png")
    return root


def comparing(squares: Path, pictures: Path) -> list[object]:
    weights = ["--weights", squares / "plain.safetensors", "--weights-2", squares / "without-red.safetensors"]
    return ["audit", "compare", squares / "plain.db", squares / "without-red.db", pictures, *weights]


def test_photographs_are_explained_by_both(squares: Path, pictures: Path, tmp_path: Path, run: Run) -> None:
    words = [*comparing(squares, pictures), "--batch-size", 4]
    status, told, error = run(*words, "--out", tmp_path / "out", "--json")
    assert status == 0, error
    answer = json.loads(told)
    assert answer == json.loads((tmp_path / "out" / "compare.json").read_text())
    sentences = next(table for table in answer["tables"] if table["title"] == "Sentences")
    assert "the class of 8 is known to both networks, from the name of its folder" in sentences["notes"]
    assert sentences["rows"][0]["before"] == 100.0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "before and after" in page
    assert "http" not in page.replace("http-equiv", "")
    status, told, error = run(*words, "--rows", 1)
    assert status == 0, error
    assert "a neuron's number means the same in both runs" in " ".join(told.split())


def test_a_comparison_that_was_killed_is_resumed(
    squares: Path, pictures: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*comparing(squares, pictures), "--batch-size", 4]
    assert run(*words, "--out", tmp_path / "whole")[0] == 0
    seen: list[range] = []
    explain = passes._records

    def stopped(photographs: Any, images: range, explainers: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(images)
        return explain(photographs, images, explainers)

    monkeypatch.setattr(passes, "_records", stopped)
    assert run(*words, "--out", tmp_path / "parts")[0] != 0
    assert not (tmp_path / "parts" / "index.html").exists()
    seen.clear()
    assert run(*words, "--out", tmp_path / "parts")[0] == 0
    assert seen == [range(8, 10)]
    for name in ("index.html", "compare.json", passes.JOURNAL):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    status, _, error = run(*words[:-2], "--batch-size", 2, "--out", tmp_path / "whole")
    assert status == 2
    assert "another batch size" in one_line(error)


def test_what_cannot_be_compared_is_refused(squares: Path, tmp_path: Path, run: Run) -> None:
    both = ["audit", "compare", squares / "plain.db", squares / "permuted.db"]
    for words, reason in (
        ([*both, tmp_path], "holds no photographs"),
        ([*both, tmp_path / "nowhere"], "is not a folder"),
        ([*both, "--weights-2", "x"], "--weights-2 would be ignored"),
        ([*both, "--run-2", 7], "7"),
        ([*both[:3], tmp_path / "nowhere.db"], "nowhere.db"),
    ):
        status, _, error = run(*words)
        assert status == 2
        assert reason in one_line(error)
