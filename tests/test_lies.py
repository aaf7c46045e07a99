"""A file, a folder or a database that contradicts itself or the definitions changes nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from shapes import unchecked
from sharing_cases import composed, good, jpeg, lax, proven, publish, refused, small, spoilt

from db import NameStore, StoreError
from db.exchange.plain_files import read_folder, read_json, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def rekeyed(run: dict[str, Any], **parts: Any) -> None:
    """A changed key with the digest that belongs to it."""
    run["key"] |= parts
    newest = 6 if "length" in run["key"] and run["key"]["schema"] == 6 else min(3, run["key"]["schema"])
    digested = run["key"] | {"schema": newest}
    run["digest"] = hashlib.sha256(json.dumps(digested, sort_keys=True).encode()).hexdigest()


def overlap(run: dict[str, Any], unit: int = 0) -> dict[str, Any]:
    return run["units"][unit]["overlaps"][0]


LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "digest": (lambda run: run.update(digest="0" * 64), "its key's sha256 is"),
    "digest that is a path": (lambda run: run.update(digest="../../../etc"), r"digest"),
    "key": (lambda run: run["key"].update(network="mine"), "its key's sha256 is"),
    "schema": (lambda run: rekeyed(run, schema=9), "has schema 9"),
    "layer of the key": (lambda run: rekeyed(run, layer="another"), "key's layer is 'another'"),
    "quantile": (lambda run: rekeyed(run, quantile="0.1"), "quantile"),
    "iou": (lambda run: overlap(run).update(iou=0.9), "its IoU is 0.4 by its counts, not 0.9"),
    "intersection": (lambda run: overlap(run).update(intersection=101, iou=101 / 39), "larger than one of the areas"),
    "order": (lambda run: run["units"][0]["overlaps"].reverse(), "not in order"),
    "concept twice": (lambda run: run["units"][1]["overlaps"].append(overlap(run, 1)), "not in order"),
    "unknown concept": (lambda run: overlap(run).update(concept=77), "concept 77, which is not listed"),
    "unit beyond": (lambda run: run["units"][5].update(unit=6), "give each unit once"),
    "unit twice": (lambda run: run["units"][5].update(unit=4), "give each unit once"),
    "unit missing": (lambda run: run["units"].pop(), "give each unit once"),
    "many units": (lambda run: run["layer"].update(units=2**62), "give each unit once"),
    "negative count": (lambda run: overlap(run).update(intersection=-1), "intersection"),
    "huge count": (lambda run: run.update(pixels=2**63), "pixels"),
    "huge number": (lambda run: run.update(pixels=10**400), "pixels"),
    "half a count": (lambda run: run.update(pixels=1.5), "pixels"),
    "true is no count": (lambda run: run.update(pixels=True), "pixels"),
    "text is no count": (lambda run: run.update(pixels="800"), "pixels"),
    "zero in text": (lambda run: run.update(network="a\0b"), "network"),
    "half a character": (lambda run: run.update(network="\ud800"), "network"),
    "half a character in the source": (lambda run: run["source"].update(network="\ud800"), "invalid text"),
    "unknown field": (lambda run: run.update(more=1), "more"),
    "missing field": (lambda run: run.pop("layer"), "layer"),
    "time": (lambda run: run.update(created="yesterday"), "created"),
    "time without zone": (lambda run: run.update(created="2024-01-01T00:00:00"), "created"),
    "time elsewhere": (lambda run: run.update(created="0001-01-01T00:00:00+05:00"), "not in UTC"),
    "class": (lambda run: run["importances"][0].update({"class": 3}), "class 3, which it lacks"),
    "class twice": (lambda run: run["importances"][0].update({"class": 1}), "two importances"),
    "importances": (lambda run: run["importances"][0]["alphas"].pop(), "shape"),
    "no number": (lambda run: run["importances"][0]["alphas"].__setitem__(0, None), "alphas"),
    "infinite importance": (lambda run: run["importances"][0]["alphas"].__setitem__(0, "Infinity"), "alphas"),
    "threshold": (lambda run: run["units"][0].update(threshold="NaN"), "threshold"),
    "pictures": (lambda run: run["pictures"].append({"index": 7, "sha256": "0" * 64}), "folder with pictures"),
    # settings that no build has
    "quantile of 5": (lambda run: rekeyed(run, quantile=5.0), "its quantile is 5.0, not a share"),
    "quantile of 0": (lambda run: rekeyed(run, quantile=0.0), "its quantile is 0.0, not a share"),
    "quantile of 1": (lambda run: rekeyed(run, quantile=1.0), "its quantile is 1.0, not a share"),
    "infinite quantile": (lambda run: (run["key"].update(quantile="Infinity"), redigested(run)), "its quantile is inf"),
    "preprocessing": (lambda run: rekeyed(run, preprocessing="nonsense"), "its preprocessing 'nonsense' is not one"),
    "precision": (lambda run: rekeyed(run, precision="float7"), "its precision is 'float7', not float32, fast"),
    "upsampling": (lambda run: rekeyed(run, upsampling="nearest"), "upsampled by 'nearest'"),
    "least images": (lambda run: rekeyed(run, min_images=0), "nor name what is on 0 images"),
    "one draw": (lambda run: rekeyed(run, draws=1), "it has 1 draws"),
    "control without evidence": (lambda run: rekeyed(run, control=True), "control"),
    "rectifier": (lambda run: run["layer"].update(rectifier="gelu"), "rectifier is 'gelu', not relu or relu6"),
    "no images": (lambda run: run.update(images=0), "it cannot be of 0 images"),
    "more images than pixels": (lambda run: run.update(pixels=799), "it cannot be of 800 images with 799 pixels"),
    "no map": (lambda run: run["layer"].update(height=0), "a map of 0 x 14"),
    "no classes": (lambda run: run.update(classes=[], importances=[]), "it has 0 classes, so it is known by its body"),
    "no body": (lambda run: run.pop("body"), "it lacks its body"),
    "body that is no fingerprint": (lambda run: run.update(body="mine"), "body"),
    "body that is all of a classifier": (
        lambda run: run.update(body=run["key"]["network"]),
        "it has 3 classes, so it is known by more than its body",
    ),
    "another body": (lambda run: run.update(body="ab" * 32), "its checksum is another"),
    "body of schema 4": (lambda run: rekeyed(run, schema=4), "has a body, which runs before schema 5"),
    "source's network": (lambda run: run["source"].update(network=["x"]), "the network of its source is"),
    "source's weights": (lambda run: run["source"].update(weights={"a": 1}), "the weights of its source is"),
    "source's output": (lambda run: run["source"].update(output=5), "the output of its source is 5, of the wrong type"),
    "source's classes": (lambda run: run["source"].update(multi_label="no"), "the multi_label of its source is"),
    # names that steer a terminal
    "escape in the network": (
        lambda run: run.update(network="\x1b]0;owned\x07"),
        "the network's name holds characters that steer",
    ),
    "escape in a concept": (
        lambda run: concept(run).update(name="\x1b[8msky"),
        "concept 1 holds characters that steer",
    ),
    "escape in a category": (
        lambda run: concept(run).update(category="\x9b8m"),
        "concept 1 holds characters that steer",
    ),
    "escape in a class": (
        lambda run: run["classes"].__setitem__(2, "\u202egpj"),
        "label of class 2 holds characters that steer",
    ),
    "line in the data's name": (lambda run: run.update(dataset="msrc\nAll is well."), "concept data's name holds"),
    "escape in the evidence": (lambda run: run.update(evidence="\x07"), "evidence holds characters that steer"),
    "escape in the licence": (
        lambda run: run.update(licence="CC0\n\x1b[2J"),
        "its licence holds characters that steer",
    ),
    # counts that contradict each other
    "huge counts": (
        lambda run: overlap(run).update(intersection=10**15, unit_area=10**15, concept_area=10**15, iou=1.0),
        "two areas|cover 1000000000000000 pixels",
    ),
    "no intersection": (
        lambda run: overlap(run, 1).update(intersection=0, iou=0.0),
        "the intersection with 'grass' is",
    ),
    "named after what is on no image": (lambda run: concept(run).update(images=0, pixels=0), "is on 0 images"),
    "another support": (lambda run: concept(run).update(pixels=101), "is on 11 images with 101 pixels, not on"),
    "another count of images": (
        lambda run: overlap(run).update(images=12),
        "is on 11 images with 100 pixels, not on 12",
    ),
    "too rare": (lambda run: rekeyed(run, min_images=12), "cannot be a name below 12"),
    "pixels on no image": (lambda run: concept(run, 3).update(images=0), "cannot cover 100 of"),
    "more images than pixels of a concept": (
        lambda run: concept(run).update(pixels=10),
        "cannot be on 11 of 800 images",
    ),
    "more images than there are": (lambda run: concept(run).update(images=801), "cannot be on 801 of 800 images"),
    "more pixels than there are": (lambda run: concept(run).update(pixels=10**9), "cannot cover 1000000000 of"),
    "concept 0": (lambda run: concept(run).update(number=0), "concept 1, which is not listed|lacks a number from 1"),
    "concept without a name": (lambda run: concept(run).update(name=""), "lacks a number from 1, a name"),
    "two areas of one mask": (
        lambda run: (
            overlap(run, 5).update(unit_area=61, iou=60 / 101)
            or run["units"][5]["overlaps"][1].update(concept=1)
            or concept(run, 2).update(category="object")
        ),
        "its mask has two areas in the images labelled by 'object'",
    ),
    "more overlaps than are kept": (
        lambda run: (
            run.update(concepts=many_concepts())
            or run["units"][0].update(overlaps=[many_overlaps(number) for number in range(1, 13)])
        ),
        "keeps more than the 10 best overlaps",
    ),
    # thresholds and exemplars
    "infinite thresholds": (lambda run: thresholds(run, "Infinity"), "its threshold inf or an exemplar's activation"),
    "thresholds below 0": (lambda run: thresholds(run, -5.0), "relu does not give values from -5 to 9.5"),
    "thresholds above 6": (
        lambda run: run["layer"].update(rectifier="relu6"),
        "relu6 does not give values from 0.1 to 9.5",
    ),
    "threshold above all": (lambda run: thresholds(run, 9.5), "its threshold 9.5 is not below its greatest value 9.5"),
    "infinite activation": (lambda run: exemplar(run).update(activation="Infinity"), "activation is not finite"),
    "exemplar below the map": (lambda run: exemplar(run).update(row=14), "at row 14 and column 0 of a map of 14 x 14"),
    "exemplar beside the map": (lambda run: exemplar(run).update(column=10**6), "column 1000000 of a map of 14 x 14"),
    "exemplar of no image": (lambda run: exemplar(run).update(index=800), "is image 800 of 800"),
    "exemplars rising": (lambda run: run["units"][0]["exemplars"].reverse(), "its exemplars are not in order"),
    "exemplar twice": (lambda run: exemplar(run, 1, 0).update(index=7), "image 7 has two names|not in order"),
    "ties in disorder": (lambda run: exemplar(run, 7 - 7, 0).update(activation=1 / 3, index=9), "not in order"),
    "no exemplars": (lambda run: run["units"][3].update(exemplars=[]), "unit 3: it has no exemplars"),
    "exemplar of an unknown concept": (
        lambda run: exemplar(run).update(concepts=[77]),
        "an exemplar of concept 77, which is not listed",
    ),
    "shown twice": (lambda run: exemplar(run).update(concepts=[2, 2]), "shows is not in order"),
    "shown in disorder": (lambda run: exemplar(run).update(concepts=[2, 1]), "shows is not in order"),
    "category shown twice": (lambda run: exemplar(run).update(concepts=[1, 4, 2]), "shows is not in order"),
    "shown to one unit only": (lambda run: exemplar(run, 2, 1).update(concepts=[4]), "not show the same to all units"),
    "shown on too many images": (
        lambda run: (
            run["concepts"].append({"number": 12, "name": "sea", "category": "object", "images": 1, "pixels": 9})
            or exemplar(run, 0).update(concepts=[12])
            or exemplar(run, 1).update(concepts=[12])
        ),
        "exemplars show 'sea' on 2 images, of 1 that carry it",
    ),
    "shown before it was kept": (
        lambda run: (exemplar(run).update(concepts=[1]), rekeyed(run, schema=3)),
        "a run of schema 3 does not say what its exemplars show",
    ),
    "two names of an image": (lambda run: exemplar(run, 2, 1).update(image="x.jpg"), "image 7 has two names"),
    # importances
    "importances over no image": (lambda run: run["importances"][0].update(images=0), "class 0: it has importances"),
    "more images than the data has": (
        lambda run: rekeyed(run, evidence="the concept images that the network assigns to the class"),
        "its classes have 15 images, not the 800 of the data",
    ),
}


def redigested(run: dict[str, Any]) -> None:
    key = run["key"] | {"quantile": float(run["key"]["quantile"]), "schema": 3}
    run["digest"] = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def concept(run: dict[str, Any], place: int = 0) -> dict[str, Any]:
    return run["concepts"][place]


def exemplar(run: dict[str, Any], unit: int = 0, rank: int = 0) -> dict[str, Any]:
    return run["units"][unit]["exemplars"][rank]


def thresholds(run: dict[str, Any], value: object) -> None:
    for unit in run["units"]:
        unit["threshold"] = value


def many_concepts() -> list[dict[str, Any]]:
    return [
        {"number": number, "name": f"concept {number}", "category": "object", "images": 10 + number, "pixels": 100}
        for number in range(1, 13)
    ]


def many_overlaps(number: int) -> dict[str, Any]:
    counts = {"intersection": 50 - number, "unit_area": 50, "concept_area": 100, "images": 10 + number}
    return {"concept": number, "iou": (50 - number) / (100 + number), **counts}


@pytest.mark.parametrize("lie", LIES)
@unchecked()
def test_a_file_that_lies_changes_nothing(lie: str, tmp_path: Path) -> None:
    change, message = LIES[lie]
    file = tmp_path / "names.json"
    file.write_bytes(spoilt(change))
    refused(file, message, tmp_path)


def rates(run: dict[str, Any], q: float) -> None:
    for unit in run["units"]:
        if "evidence" in unit:
            unit["evidence"]["q"] = q


def evidence(run: dict[str, Any], unit: int = 0) -> dict[str, Any]:
    return run["units"][unit]["evidence"]


def truth(run: dict[str, Any]) -> dict[str, Any]:
    return overlap(run)["truth"]


LIES_OF_EVIDENCE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "draws": (lambda run: rekeyed(run, draws=0), "has evidence, but the dissection no draws"),
    "draws of the key": (lambda run: run["key"].update(draws=7), "its key's sha256 is"),
    "schema": (lambda run: rekeyed(run, schema=2), "its key's sha256 is"),
    "statistics of schema 2": (
        lambda run: (run["key"].pop("draws"), run["key"].pop("control"), rekeyed(run, schema=2)),
        "schema 2 has no draws",
    ),
    "lit": (lambda run: truth(run).update(lit_images=801), "of 800 images, 801 cannot be lit"),
    "hits": (lambda run: truth(run).update(hit_images=9), "8 cannot be lit and 9 of them carry 'sky'"),
    "negative hits": (lambda run: truth(run).update(hit_images=-1), "hit_images"),
    "dark": (lambda run: truth(run).update(dark_images=793), "8 cannot be lit and 793 not"),
    "missed": (lambda run: truth(run).update(missed_images=6), "'sky' is on 11 images, not on 6 that are lit and 6"),
    "more missed than dark": (lambda run: truth(run).update(dark_images=4), "and 4 not, of which 5 carry 'sky'"),
    "half a truth": (lambda run: truth(run).pop("hit_images"), "hit_images"),
    "p": (lambda run: evidence(run).update(p=1.01), "are not all from 0 to 1"),
    "negative p": (lambda run: evidence(run).update(p=-1e-300), "are not all from 0 to 1"),
    "q": (lambda run: evidence(run).update(q=-0.1), "are not all from 0 to 1"),
    "kept": (lambda run: evidence(run).update(kept=2.0), "are not all from 0 to 1"),
    "control": (lambda run: evidence(run).update(control=1.5), "the control's IoU is 1.5, not from 0 to 1"),
    "no control": (lambda run: evidence(run).update(control=None), "unit 0 has no control, unlike the run"),
    "control of the key": (lambda run: rekeyed(run, control=False), "the run's key's control is False"),
    "named by the control": (lambda run: run.update(control=-1), "control"),
    "interval": (lambda run: evidence(run)["iou"].reverse(), "ends before it begins"),
    "margin": (lambda run: evidence(run)["margin"].reverse(), "ends before it begins"),
    "three ends": (lambda run: evidence(run)["margin"].append(1.0), "margin"),
    "runner-up": (lambda run: evidence(run).update(runners_up=[77]), "the runner-up 77, which is not listed"),
    "itself a runner-up": (lambda run: evidence(run).update(runners_up=[1]), "its runners-up are not other concepts"),
    "runner-up twice": (lambda run: evidence(run).update(runners_up=[2, 2]), "its runners-up are not other concepts"),
    "order of quarters": (lambda run: evidence(run)["quarters"].reverse(), "not at most 4, weakest first"),
    "equal quarters": (lambda run: evidence(run)["quarters"][1].update(least=0.5), "not at most 4, weakest first"),
    "five quarters": (
        lambda run: evidence(run).update(quarters=[{"least": one, "images": 1, "hits": 1} for one in range(5)]),
        "not at most 4, weakest first",
    ),
    "hits of a quarter": (lambda run: evidence(run)["quarters"][0].update(hits=5), "or fewer than carry the concept"),
    "empty quarter": (
        lambda run: evidence(run)["quarters"][0].update(images=0, hits=0),
        "a quarter has no images",
    ),
    "lit map": (lambda run: evidence(run)["lit_map"].pop(), "a lit map of 5 cells, its layer has 6"),
    "infinite cell": (lambda run: evidence(run)["lit_map"].__setitem__(0, "Infinity"), "lit_map"),
    "no overlap": (
        lambda run: run["units"][4].update(evidence=evidence(run)),
        "a unit has evidence where it has overlaps, and no other has any",
    ),
    "some statistics": (lambda run: run["importances"][1].pop("lits"), "only some of its statistics"),
    "statistics": (lambda run: run["importances"][1]["lits"].pop(), "shape"),
    "negative square": (
        lambda run: run["importances"][1]["lit_squares"].__setitem__(0, -1.0),
        "class 1: a mean of squares is negative",
    ),
    "rate below p": (lambda run: evidence(run).update(q=0.001), "its q of 0.001 does not follow from the p"),
    "rates too small": (lambda run: rates(run, 0.014), "its q of 0.014 does not follow from the p of all units"),
    "rates too great": (lambda run: rates(run, 0.06), "its q of 0.06 does not follow from the p of all units"),
    "evidence of some units": (lambda run: run["units"][0].pop("evidence"), "and there is no evidence; or the reverse"),
    "truth of some overlaps": (lambda run: overlap(run).pop("truth"), "only some of its overlaps say how often"),
    "no truth": (lambda run: overlap(run, 1).pop("truth"), "and there is no evidence; or the reverse"),
    "no hits": (lambda run: truth(run).update(hit_images=0, missed_images=11), "lit on no image that carries it"),
    "labelled twice": (lambda run: truth(run).update(dark_images=701), "two counts of lit images are labelled by"),
    "IoU below 0": (lambda run: evidence(run).update(iou=[-0.1, 0.5]), "are not of an IoU and what it exceeds"),
    "IoU above 1": (lambda run: evidence(run).update(iou=[0.3, 1.5]), "are not of an IoU and what it exceeds"),
    "IoU elsewhere": (lambda run: evidence(run).update(iou=[0.9, 0.95]), "is far from its interval of 0.9 to 0.95"),
    "margin above the IoU": (lambda run: evidence(run).update(margin=[-0.1, 0.9]), "are not of an IoU and what"),
    "margin above 0": (lambda run: evidence(run).update(margin=[0.1, 0.2]), "and yet its margin is above 0"),
    "shares above 1": (lambda run: evidence(run).update(kept=0.95), "leave nothing for 1 runners-up"),
    "images of quarters": (lambda run: evidence(run)["quarters"][0].update(images=3), "hold 7 lit images and 6 hits"),
    "hits of all quarters": (lambda run: evidence(run)["quarters"][0].update(hits=1), "hold 8 lit images and 5 hits"),
    "no quarters": (lambda run: evidence(run).update(quarters=[]), "hold 0 lit images and 0 hits"),
    "peak below the threshold": (
        lambda run: evidence(run)["quarters"][0].update(least=0.05),
        "weakest peak is not above",
    ),
    "peak above all": (lambda run: evidence(run)["quarters"][1].update(least=9.6), "weakest peak is not above"),
    "dark map": (lambda run: evidence(run).update(lit_map=[0.0] * 6), "no cell of its lit map is lit"),
    "map above all": (lambda run: evidence(run).update(lit_map=[10.0] * 6), "or one is above its greatest value"),
    "control that names nothing": (lambda run: run.update(control=0), "but no unit of the control has a name"),
    "control of more units": (lambda run: run.update(control=7), "its control has names for 7 of 6 units"),
    "square below the mean's": (
        lambda run: run["importances"][1]["alpha_squares"].__setitem__(3, 80.0),
        "class 1: a mean of squares is less than the square of the mean",
    ),
    "square of one image": (
        lambda run: run["importances"][1].update(images=1),
        "class 1: with one image, a mean of squares is more than the square of the mean",
    ),
    "licence": (lambda run: run.update(licence=None), "licence"),
    "unknown evidence": (lambda run: evidence(run).update(more=1), "more"),
    "missing evidence": (lambda run: evidence(run).pop("q"), "q"),
}


@pytest.mark.parametrize("lie", LIES_OF_EVIDENCE)
@unchecked()
def test_evidence_that_lies_changes_nothing(lie: str, tmp_path: Path) -> None:
    change, message = LIES_OF_EVIDENCE[lie]
    file = tmp_path / "names.json"
    file.write_bytes(spoilt(change, proven))
    refused(file, message, tmp_path)


def formula(run: dict[str, Any], place: int = 0) -> dict[str, Any]:
    return run["units"][0]["compositions"][place]


def unanswered(run: dict[str, Any]) -> None:
    """The same without how units respond to formulas."""
    for part in ("quarters", "lit_map"):
        del formula(run)[part]


def reversed_order(run: dict[str, Any]) -> None:
    run["units"][0]["compositions"].reverse()


LIES_OF_FORMULAS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "length": (lambda run: rekeyed(run, length=2), "the run's key names 2"),
    "no length": (lambda run: (run["key"].pop("length"), rekeyed(run)), "the run's key names 1"),
    "length of 4": (lambda run: rekeyed(run, length=4), "has formulas of 4 concepts; they have at most 3"),
    "schema": (lambda run: (unanswered(run), rekeyed(run, schema=4)), "a run of schema 4 has no formulas"),
    "order": (reversed_order, "at most one of each length, shortest first"),
    "unknown concept": (lambda run: formula(run).update(first=77), "a formula of concept 77, which is not listed"),
    "operator": (lambda run: formula(run)["steps"][0].update(operator="xor"), "operator"),
    "concept twice": (lambda run: formula(run).update(first=2), "has a concept twice"),
    "iou": (lambda run: formula(run)["held_out"].update(iou=0.9), "a formula's IoU is"),
    "intersection": (
        lambda run: formula(run)["held_out"].update(intersection=21, iou=21 / 39),
        "is larger than one of the areas",
    ),
    "no intersection": (
        lambda run: formula(run)["searched"].update(intersection=0, iou=0.0),
        "does not meet 'sky but not grass' where",
    ),
    "area": (
        lambda run: formula(run)["held_out"].update(formula_area=61, iou=16 / 65),
        "covers more than its concepts do, 100 pixels",
    ),
    "mask": (
        lambda run: formula(run)["held_out"].update(unit_area=21, iou=16 / 45),
        "its mask is larger for 'sky but not grass'",
    ),
    "no better": (
        lambda run: formula(run, 1)["searched"].update(intersection=17, iou=17 / 43),
        "a longer formula has no greater IoU",
    ),
    "hits": (lambda run: formula(run)["truth"].update(hit_images=9), "holds in more images than there are"),
    "lit": (lambda run: formula(run)["truth"].update(lit_images=101), "speaks of more images than the 800"),
    "too rare": (lambda run: formula(run)["truth"].update(missed_images=1), "holds in 7 images, fewer than 10"),
    "gain": (lambda run: formula(run)["gain"].reverse(), "is not an interval of differences"),
    "p": (lambda run: formula(run).update(p=0.5), "are not from 0 to 1, in this order"),
    "q": (lambda run: formula(run).update(q=0.01), "does not follow from the p of all formulas"),
    "refused by its gain": (lambda run: formula(run, 1).update(p=0.2, q=0.2), "gains nothing, and yet has been held"),
    "quarters": (
        lambda run: formula(run)["quarters"].reverse(),
        "'sky but not grass': its quarters are not at most 4, weakest first",
    ),
    "hits of quarters": (
        lambda run: formula(run)["quarters"][0].update(hits=2),
        "'sky but not grass': its quarters hold 8 lit images and 5 hits",
    ),
    "no quarters": (lambda run: formula(run).pop("quarters"), "hold 0 lit images and 0 hits"),
    "peak": (lambda run: formula(run)["quarters"][0].update(least=0.05), "weakest peak is not above"),
    "infinite peak": (lambda run: formula(run)["quarters"][0].update(least="Infinity"), "least"),
    "cells": (lambda run: formula(run)["lit_map"].pop(), "a lit map of 5 cells, its layer has 6"),
    "dark map": (lambda run: formula(run).update(lit_map=[0.0] * 6), "no cell of its lit map is lit"),
    "map without a gain": (
        lambda run: formula(run, 1).update(lit_map=[3.0] * 6),
        "gains nothing, and yet it is kept how the unit responds",
    ),
    "quarters of schema 5": (lambda run: rekeyed(run, schema=5), "a run of schema 5 does not say how units respond"),
    "rate without a gain": (lambda run: formula(run, 1).update(p=1.0, q=0.5), "in this order"),
}


@pytest.mark.parametrize("lie", LIES_OF_FORMULAS)
@unchecked()
def test_formulas_that_lie_change_nothing(lie: str, tmp_path: Path) -> None:
    change, message = LIES_OF_FORMULAS[lie]
    file = tmp_path / "names.json"
    file.write_bytes(spoilt(change, composed))
    refused(file, message, tmp_path)


def test_formulas_travel_and_are_kept(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_bytes(good(composed))
    ((whole,), _) = read_json(tmp_path / "names.json")
    assert whole.dissection == composed().dissection
    with NameStore.create(tmp_path / "names.db") as store:
        run = store.adopt([whole])[0].run
        assert store.dissection(run) == whole.dissection
        assert store.unit(run, 0) == whole.dissection.units[0]
        assert run.key.length == 3
        assert store.find(run.key) == run
        assert run.key.digest != replace(run.key, length=1).digest


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every number, text and truth value in JSON, with the way to it."""
    if isinstance(value, dict | list):
        for step, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, step))
    elif value is not None:
        yield path, value


def other(value: Any) -> Any:
    """A value of the same type, as near as can be."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return float(np.nextafter(value, 1e9))
        case str() if len(value) == 64:
            return value[:-1] + ("0" if value[-1] == "1" else "1")
        case _:
            return f"{value} "


@unchecked()
def test_any_value_that_was_changed_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "proven", [proven()])
    file = tmp_path / "proven" / "names.json"
    whole = file.read_text()
    reasons = []
    with NameStore.create(tmp_path / "names.db") as store:
        for path, value in leaves(json.loads(whole)["runs"][0]):
            stored = json.loads(whole)
            part = stored["runs"][0]
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = other(value)
            file.write_text(json.dumps(stored))
            with pytest.raises(StoreError) as caught:
                store.adopt(read_folder(tmp_path / "proven")[0])
            reasons.append(str(caught.value))
        assert not store.runs()
        file.write_text(whole)
        assert store.adopt(read_folder(tmp_path / "proven")[0])[0].is_new
    assert sum("its checksum is another" in reason for reason in reasons) > 100, "these are possible, but not so"


TEXTS: dict[str, tuple[Callable[[str], str], str]] = {
    "not a number": (lambda text: text.replace("0.1,", "NaN,", 1), "NaN is not a JSON number"),
    "infinity": (lambda text: text.replace("0.1,", "-Infinity,", 1), "-Infinity is not a JSON number"),
    "too great": (lambda text: text.replace("0.1,", "1e999,", 1), "too large"),
    "too long": (lambda text: text.replace("0.1,", "1" * 5000 + ",", 1), "digits"),
    "duplicate field": (
        lambda text: text.replace('"network"', '"network": "x", "network"', 1),
        "'network' appears twice",
    ),
    "version": (lambda text: text.replace('"version": 6', '"version": 7'), "has version 7"),
    "true version": (lambda text: text.replace('"version": 6', '"version": true'), "has version True"),
    "format": (lambda text: text.replace("neuronexplain names", "something"), "its format is not"),
    "cut short": (lambda text: text[: len(text) // 2], "not a readable file of names"),
    "nested": (lambda text: "[" * 200_000, "nested|not a readable file of names"),
    "nested source": (
        lambda text: text.replace('"mean": [', '"mean": ' + "[" * 90_000, 1),
        "nested|not a readable file of names",
    ),
    "list": (lambda text: "[]", "its format is not"),
    "empty": (lambda text: "", "not a readable file of names"),
}


@pytest.mark.parametrize("lie", TEXTS)
def test_text_that_is_no_file_of_names_changes_nothing(lie: str, tmp_path: Path) -> None:
    change, message = TEXTS[lie]
    file, before = tmp_path / "names.json", good().decode()
    file.write_text(change(before))
    assert file.read_text() != before
    refused(file, message, tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_bytes(good() + b"\xff")
    refused(tmp_path / "names.json", "utf-8", tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "shared", [small()])
    return tmp_path / "shared"


def picture_of(folder: Path) -> Path:
    return folder / small().run.key.digest[:12] / "pictures" / "7.jpg"


def list_picture(folder: Path, **changes: Any) -> None:
    stored = json.loads((folder / "names.json").read_text())
    (listed,) = (each for each in stored["runs"][0]["pictures"] if each["index"] == 7)
    listed |= changes
    (folder / "names.json").write_text(json.dumps(stored))


def test_a_picture_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    picture_of(folder).write_bytes(jpeg(8))
    refused(folder, "its sha256 differs", tmp_path)


def test_a_picture_that_is_missing_is_refused(folder: Path, tmp_path: Path) -> None:
    picture_of(folder).unlink()
    refused(folder, r"cannot be read \(No such file", tmp_path)


def test_a_picture_cannot_be_elsewhere(folder: Path, tmp_path: Path) -> None:
    list_picture(folder, index="../../../secret")
    refused(folder, "index", tmp_path)
    stored = json.loads((folder / "names.json").read_text())
    stored["runs"][0]["pictures"] = [{"index": 7, "sha256": "0" * 64, "file": "/etc/passwd"}]
    (folder / "names.json").write_text(json.dumps(stored))
    refused(folder, "file", tmp_path)


@pytest.mark.parametrize("part", ["7.jpg", "pictures", "run", "names.json"])
def test_links_are_refused(folder: Path, tmp_path: Path, part: str) -> None:
    inside = picture_of(folder)
    moved = {"7.jpg": inside, "pictures": inside.parent, "run": inside.parents[1], "names.json": folder / "names.json"}
    elsewhere = tmp_path / "elsewhere"
    moved[part].rename(elsewhere)
    moved[part].symlink_to(elsewhere)
    refused(folder, "is a link, or is reached through one", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a no picture", "not a JPEG"),
        (jpeg(1)[:300], "not a JPEG"),
        (jpeg(1, (2000, 10)), "at most 1024 a side"),
        (jpeg(1).replace(b"\x00\x06\x00\x08", b"\xff\xff\xff\xff"), "not a JPEG|at most 1024"),
        (bytes(2**20 + 1), "at most 1048576"),
    ],
)
def test_a_picture_must_be_a_small_jpeg(folder: Path, tmp_path: Path, content: bytes, message: str) -> None:
    picture_of(folder).write_bytes(content)
    list_picture(folder, sha256=hashlib.sha256(content).hexdigest())
    refused(folder, message, tmp_path)


def test_a_picture_of_no_exemplar_or_twice_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(picture_of(folder), picture_of(folder).with_name("77.jpg"))
    list_picture(folder, index=77)
    refused(folder, "picture is of image 77, which no unit has", tmp_path)
    stored = json.loads((folder / "names.json").read_text())
    stored["runs"][0]["pictures"] = [{"index": 2, "sha256": hashlib.sha256(jpeg(200)).hexdigest()}] * 2
    (folder / "names.json").write_text(json.dumps(stored))
    refused(folder, "lists picture 2 twice", tmp_path)


def test_a_folder_without_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    refused(tmp_path / "shared", r"holds no names\.json", tmp_path)


STATEMENTS = {
    "UPDATE overlaps SET intersection = 101 WHERE unit = 0 AND rank = 0": "larger than one of the areas",
    "UPDATE overlaps SET intersection = 1 WHERE unit = 0 AND rank = 0": "not in order",
    "UPDATE overlaps SET concept = 99 WHERE unit = 0 AND rank = 0": r"is damaged, or was never one of ours \(KeyError",
    "UPDATE overlaps SET intersection = 'many' WHERE unit = 0": "is damaged|wrong type",
    "UPDATE units SET number = 9 WHERE number = 5": "give each unit once",
    "UPDATE units SET threshold = NULL WHERE number = 5": "is damaged|wrong type",
    "UPDATE units SET threshold = 'x' WHERE number = 5": "is damaged|wrong type",
    "UPDATE runs SET layer_units = 4611686018427387904": "give each unit once|bytes of importances",
    "UPDATE runs SET key_network = 'mine'": "run 1 was changed or damaged",
    "UPDATE runs SET source = '[' WHERE id = 1": "is damaged",
    "UPDATE runs SET source = '[1]'": "is damaged|wrong type",
    "UPDATE runs SET created = 'yesterday'": "is damaged",
    "UPDATE pictures SET jpeg = x'00' WHERE number = 7": "picture of image 7 is not a JPEG",
    "UPDATE importances SET alphas = x'00'": "bytes of importances",
    "UPDATE exemplars SET image = x'ff' WHERE rank = 0": "is damaged|wrong type|STRICT|cannot store",
}


@pytest.mark.parametrize("statement", STATEMENTS)
@unchecked()
def test_a_database_that_lies_changes_nothing(statement: str, tmp_path: Path) -> None:
    with NameStore.create(tmp_path / "theirs.db") as theirs:
        publish(theirs, small(schema=2))  # without a checksum, which whoever lies could make as well
    lax(tmp_path / "theirs.db", statement)
    with NameStore.create(tmp_path / "mine.db") as mine, NameStore.open(tmp_path / "theirs.db") as theirs:
        held = publish(mine, small(network="kept"))
        with pytest.raises(StoreError, match=STATEMENTS[statement]) as error:
            mine.adopt(theirs.whole_runs())
        assert "\n" not in str(error.value)
        assert mine.runs() == [held.run]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE overlaps SET concept = 99 WHERE unit = 0 AND rank = 0",
        "UPDATE overlaps SET intersection = 'many' WHERE unit = 0",
        "UPDATE units SET threshold = NULL WHERE number = 5",
        "UPDATE evidence SET lit_map = 'x' WHERE unit = 0",
        "UPDATE evidence SET lit_map = NULL WHERE unit = 0",
        "UPDATE pictures SET jpeg = NULL WHERE number = 7",
        "UPDATE provenance SET checksum = NULL",
        "UPDATE provenance SET licence = x'00'",
    ],
)
@unchecked()
def test_a_database_that_was_changed_says_so(statement: str, tmp_path: Path) -> None:
    with NameStore.create(tmp_path / "theirs.db") as theirs:
        publish(theirs, proven())
    lax(tmp_path / "theirs.db", statement)
    said = r"run 1 was changed or damaged since it was stored|of the wrong type"
    with NameStore.open(tmp_path / "theirs.db") as theirs, pytest.raises(StoreError, match=said):
        theirs.whole(theirs.runs()[0])
