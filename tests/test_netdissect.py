"""Results of Network Dissection's own tools become runs that say where they come from."""

from __future__ import annotations

import csv
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import store_cases as cases

from db import NameStore, StoreError, WholeRun
from db.exchange.netdissect import read_result
from db.exchange.plain_files import read_json, write_csv, write_json
from dissection.vocabulary import Layer

if TYPE_CHECKING:
    from pathlib import Path

where = cases.where

CATEGORIES = ("color", "object", "scene")
LABELS = (("-", None), ("red-c", 0), ("blue-c", 0), ("sky", 1), ("cat", 1), ("street-s", 2))
LAYER = Layer("features.29", 0, 0, 0)


def tallies(units: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (units x labels), G (labels) and I (units x labels) as the tools count them; the last unit meets nothing."""
    generator = np.random.default_rng(4)
    truth = np.array([0, *generator.integers(500, 900, len(LABELS) - 1)])
    by_category = generator.integers(400, 700, (units, len(CATEGORIES)))
    activation = np.array([[0 if c is None else by_category[u, c] for _, c in LABELS] for u in range(units)])
    intersect = generator.integers(0, 300, activation.shape) * (np.array([c is not None for _, c in LABELS]))
    intersect[-1] = 0
    intersect[2, 3:5] = 0  # unit 2 meets no object
    return activation, truth, intersect


def rows(*, lite: bool = False, first: int = 1, top: bool = False) -> list[dict[str, Any]]:
    """What the tools write, from their definition: for each unit and category the label of greatest IoU."""
    activation, truth, intersect = tallies()
    number = float if lite else int
    written = []
    for unit in range(len(activation)):
        row: dict[str, Any] = {"unit": unit + first, "category": "color", "label": "-", "score": 0.0}
        for index, category in enumerate(CATEGORIES):
            best, iou = 0, 0.0
            for label, (_, own) in enumerate(LABELS):
                i, a, g = intersect[unit, label], activation[unit, label], truth[label]
                if own == index and i / (a + g - i + 1e-10) > iou:
                    best, iou = label, i / (a + g - i + 1e-10)
            row |= {
                f"{category}-label": LABELS[best][0],
                f"{category}-truth": number(truth[best]),
                f"{category}-activation": number(activation[unit, best]),
                f"{category}-intersect": number(intersect[unit, best]),
                f"{category}-iou": f"{iou:.12g}",
            }
            if iou > float(row["score"]):
                row |= {"category": category, "label": LABELS[best][0], "score": f"{iou:.12g}"}
        written.append(row | ({"top1-label": "sky", "top1-category": "object", "top1-iou": 0.1} if top else {}))
    return sorted(written, key=lambda row: -float(row["score"]))


def write(file: Path, written: list[dict[str, Any]], columns: list[str] | None = None) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns or list(written[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(written)
    return file


@pytest.mark.parametrize(
    "way", [{}, {"lite": True}, {"lite": True, "top": True}, {"first": 0}], ids=["full", "lite", "top", "from 0"]
)
def test_every_unit_has_its_best_concept_of_each_category(tmp_path: Path, way: dict[str, Any]) -> None:
    whole = read_result(write(tmp_path / "tally.csv", rows(**way)), network="vgg16", layer=LAYER, concepts="broden")
    activation, truth, intersect = tallies()
    assert whole.run.layer == Layer("features.29", 7, 0, 0)
    for unit in whole.dissection.units:
        wanted = []
        for index in range(len(CATEGORIES)):
            found = [
                (
                    intersect[unit.number, n] / (activation[unit.number, n] + truth[n] - intersect[unit.number, n]),
                    name,
                    n,
                )
                for n, (name, own) in enumerate(LABELS)
                if own == index and intersect[unit.number, n]
            ]
            wanted += [max(found)] if found else []
        assert [(overlap.iou, overlap.concept.name) for overlap in unit.overlaps] == [
            each[:2] for each in sorted(wanted, reverse=True)
        ]
        for overlap, (_, _, n) in zip(unit.overlaps, sorted(wanted, reverse=True), strict=True):
            counts = (intersect[unit.number, n], activation[unit.number, n], truth[n])
            assert (overlap.intersection, overlap.unit_area, overlap.concept_area) == counts
    assert len(whole.dissection.units[2].overlaps) == 2
    assert whole.dissection.units[6].overlaps == ()
    assert {unit.threshold for unit in whole.dissection.units} == {inf}


def test_it_is_kept_and_shared_as_what_it_is(where: str, tmp_path: Path) -> None:
    file = write(tmp_path / "tally.csv", rows())
    given = read_result(file, network="vgg16", layer=LAYER, concepts="broden", fingerprint="f" * 64)
    with NameStore.create(where) as store:
        (adopted,) = store.adopt([given])
        run = adopted.run
        assert run.key.imported
        assert store.dissection(run) == given.dissection
        assert store.names(run) == given.dissection.names()
        with pytest.raises(StoreError, match="no run of the network with fingerprint ffff"):
            store.run_for("f" * 64)
        with pytest.raises(StoreError, match=r"imported from a NetDissect result, .* but no thresholds"):
            store.thresholds(run)
        write_json(tmp_path / "names.json", [store.whole(run)])
        (again,) = store.adopt(read_json(tmp_path / "names.json")[0])
        assert (again.run, again.is_new) == (run, False)
        other = read_result(file, network="vgg16", layer=LAYER, concepts="broden")
        assert store.adopt([other])[0].is_new  # of a network that nobody had at hand


def test_the_layer_must_have_as_many_units(tmp_path: Path) -> None:
    file = write(tmp_path / "tally.csv", rows())
    with pytest.raises(StoreError, match=r"has 7 units, layer features\.29 of vgg16 has 512"):
        read_result(file, network="vgg16", layer=Layer("features.29", 512, 14, 14), concepts="broden")


LIES = {
    "iou": ("object-iou", "0.9", "an IoU of 0.9 is not what its counts give"),
    "nan": ("object-iou", "nan", "an IoU of nan is not what"),
    "no number": ("score", "best", "'best' is not a number"),
    "score": ("score", "0.01", "score: an IoU of 0.01 is not"),
    "label": ("label", "dog", r"'dog' \(.*\) is the best concept of no category"),
    "category": ("category", "part", "best concept of no category"),
    "intersect": ("object-intersect", "100000", "the intersection is larger"),
    "negative": ("object-truth", "-1", "'-1' is not a count"),
    "half": ("object-truth", "1.5", "'1.5' is not a count"),
    "huge": ("object-truth", "1e300", "'1e300' is not a count"),
    "infinite": ("object-truth", "inf", "'inf' is not a count"),
    "unit twice": ("unit", "3", "unit 3 appears twice"),
    "unit beyond": ("unit", "9", "does not hold every unit"),
    "no unit": ("unit", "conv5", "'conv5' is not a number"),
    "nothing met": ("object-label", "-", "an IoU of .* is not what its counts give, 0"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_result_that_lies_is_refused(lie: str, tmp_path: Path) -> None:
    column, value, message = LIES[lie]
    written = rows()
    (changed,) = (row for row in written if row["unit"] == 1)
    changed[column] = value
    with pytest.raises(StoreError, match=message) as error:
        read_result(write(tmp_path / "tally.csv", written), network="vgg16", layer=LAYER, concepts="broden")
    assert "\n" not in str(error.value)


def test_different_pixels_of_one_concept_are_refused(tmp_path: Path) -> None:
    written = rows()
    for row in written:
        if row["unit"] == 1:  # with an IoU that fits
            truth = row["object-truth"] + 1
            i, a = row["object-intersect"], row["object-activation"]
            row |= {"object-truth": truth, "object-iou": i / (a + truth - i)}
            if row["category"] == "object":
                row["score"] = row["object-iou"]
    (changed,) = (row for row in written if row["unit"] == 1)
    assert sum(row["object-label"] == changed["object-label"] for row in written) > 1
    with pytest.raises(StoreError, match=r"different numbers of pixels"):
        read_result(write(tmp_path / "tally.csv", written), network="vgg16", layer=LAYER, concepts="broden")


def test_files_that_are_no_result_are_refused(tmp_path: Path) -> None:
    file, few = tmp_path / "tally.csv", ["unit", "category", "label", "score", "object-label", "object-iou"]
    dissection = cases.small_dissection()

    def read() -> None:
        read_result(file, network="vgg16", layer=LAYER, concepts="broden")

    with pytest.raises(StoreError, match=r"cannot be read \(No such file"):
        read()
    for content, message in (
        (b"", "is not a result of NetDissect"),
        (b"a,b\n1,2\n", "is not a result of NetDissect: it needs the columns unit, category, label, score"),
        (b"\xff\xfe\x00", "not a readable CSV"),
        (b'unit,category,label,score,"object-label\n', "not a readable CSV|not a result"),
    ):
        file.write_bytes(content)
        with pytest.raises(StoreError, match=message):
            read()
    write(file, rows(), few)
    with pytest.raises(StoreError, match="an IoU without counts cannot be checked"):
        read()
    write(file, rows())
    file.write_text(file.read_text() + "3,short\n")
    with pytest.raises(StoreError, match="line 9 has more or fewer cells"):
        read()
    write_csv(file, WholeRun(cases.run_of(dissection), dissection))
    with pytest.raises(StoreError, match="is a table for people, without a run's key: import the JSON"):
        read()
