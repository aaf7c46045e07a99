"""What must have come out of a page, beyond that everything on it ran and printed what it shows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pages
from page_worlds import LABELLED, unlearned

from db import NameStore
from dissection.scenes.described.language import caption
from dissection.scenes.described.scene import draw_described
from neuronexplain.audit.page import read_audit

if TYPE_CHECKING:
    from pathlib import Path

    from page_walker import Walker


def captions(walker: Walker) -> None:
    """Words and answers are those that the drawn scene has, and the speakers' own."""
    described = draw_described(2, 0)
    said = [one.text for one in walker.printed if one.source.startswith("neuronexplain explain")]
    assert f"“{caption(described)}”" in said[0]
    assert said[0].count("The network says") >= 4
    assert f"The network says {described.things[0].name} (" in said[1]
    assert "gives beach" in said[4]
    assert "The network says no (" in said[5]
    assert "gives beach" in said[6]
    for page in ("described", "words"):
        assert (walker.folder / page / "index.html").is_file()
    assert "Pointing of words, Sec. 8.1.1" in walker.said("neuronexplain evaluate captions pointing").text
    assert "guessed from the question" in walker.said("neuronexplain evaluate answers accuracy").text


def explained(walker: Walker) -> None:
    """There is a sentence, from the command line and in Python, and the page of the first."""
    assert "The network says" in walker.said("neuronexplain explain").out
    assert "The network says harbour" in walker.printed[-1].out
    assert (walker.folder / "why" / "index.html").is_file()


def audited(walker: Walker) -> None:
    """Every audit has said what it found of so few photographs, and has its page."""
    assert "Right in " in walker.said("neuronexplain audit mistakes").out
    assert "beach and mountain" in walker.said("neuronexplain audit groups").out
    assert "dog" in walker.said("neuronexplain audit effect").out
    for db in ("biased.db", "rebalanced.db"):
        ruled = walker.said(f"neuronexplain audit rules rules.toml --db {db}").out
        assert "undecided  a dog is no sea" in ruled, "there are fewer than ten photographs of it"
    for page in ("mistakes", "groups", "sea", "rules", "rebalanced", "compare"):
        assert (walker.folder / "audits" / page / "index.html").is_file()


def compared(walker: Walker) -> None:
    """The concept that the tuned network no longer looks at is what has changed most, and nothing else has."""
    most = unlearned(walker.folder)
    assert "a neuron's number means the same in both runs" in walker.said("neuronexplain audit compare").text
    answer = _json(walker.folder / "changes" / "compare.json")
    tables = {table["title"]: table["rows"] for table in answer["tables"]}
    assert answer["units"]["twins"] == answer["units"]["compared"]
    assert tables["Names, neuron by neuron"] == tables["Names, concept by concept"] == []
    shares = tables["What part of a class's score rests on a concept, in %"]
    lost = [row for row in shares if row["concept"] == most]
    assert len(lost) > 5
    assert all(row["after"] == 0 for row in lost)
    assert shares[0]["concept"] == most
    assert all(most not in row["gained"] for row in tables["Photographs that differ most"])


def groups(walker: Walker) -> None:
    """The misfiled are the group that the network is wrong about."""
    printed = walker.said("neuronexplain audit groups").out
    assert "All classes: filed and misfiled\n  Right in " in printed
    assert "of 3 in misfiled" in printed
    assert read_audit(walker.folder / "audits" / "groups").kind == "groups"


def formulas(walker: Walker) -> None:
    """Formulas that hold are fewer than are found; all are exported, and Python lists those that hold."""
    built = walker.said("neuronexplain build").text
    counts = re.search(r"Names of several concepts: (\d+) hold on the half of the images .* of (\d+)", built)
    assert counts
    accepted, every = map(int, counts.groups())
    assert 0 < accepted < every
    rows = _rows(walker, "units", "--db", "demo/formulas.db")
    assert sum(row["formula"] is not None for row in rows) == accepted
    assert all(row["formula_iou"] >= 0.05 and row["formula_gain_low"] > 0 for row in rows if row["formula"])
    formulas = {row["unit"]: (row["formula"], row["formula_iou"]) for row in rows}
    image = "demo/scenes/images/00000.png"
    (answer,) = _rows(walker, "explain", image, "--db", "demo/formulas.db", "--among", "all", "--top", len(rows))
    shown = {row["unit"]: (row["formula"], row["formula_iou"]) for row in (*answer["top"], *answer["bottom"])}
    assert shown == {unit: formulas[unit] for unit in shown}
    assert any(formula for formula, _ in shown.values())
    assert all(row["meaning"] == (row["formula"] or row["name"]) for row in (*answer["top"], *answer["bottom"]))
    assert "Unchecked: each formula" in walker.said("neuronexplain units --db demo/formulas.db --unchecked").err
    rows = _rows(walker, "units", "--db", "demo/formulas.db", "--unchecked")
    assert sum(row["formula"] is not None for row in rows) == every
    exported = _json(walker.folder / "formulas.json")["runs"][0]
    assert sum("compositions" in unit for unit in exported["units"]) == every
    assert exported["key"]["length"] == 3
    status, _, error = walker.run("units", "--db", "demo/scenes.db", "--unchecked")
    assert (status, "build it with --length 3" in error) == (2, True)
    scenes = ("--network", "scenes", "--concepts", "demo/scenes")
    status, _, error = walker.run("build", *scenes, "--db", "x.db", "--length", "2", "--draws", "0")
    assert (status, "--length 2 needs evidence" in error) == (2, True)
    with NameStore.open("demo/scenes.db") as store:
        assert "length" not in store.newest().key.parts
    assert len(walker.printed[-1].out.splitlines()) == accepted


def joined(walker: Walker) -> None:
    """Both datasets and the colours are in one."""
    concepts = (walker.folder / "my-concepts" / "label.csv").read_text()
    assert all(name in concepts for name in ("sky,object", "grass,object", ",color("))


def dictionaries(walker: Walker) -> None:
    """Features are learned, checked, named and spoken of; so are directions."""
    assert "192 features of features.14 in features: NeuronExplain" in walker.printed[0].text
    assert not (walker.folder / "features.unfinished").exists()
    built = walker.said("neuronexplain build --network scenes --dictionary features").text
    assert re.search(r"\d+ of 192 features of features.14 have a name", built)
    assert "The dictionary: NeuronExplain" in built
    page = (walker.folder / "why" / "index.html").read_text()
    assert "The features behind this" in page
    assert "TopK with 8 features at a place" in page
    assert not re.search(r"neurons? (?:for|\d)", page)
    assert "to first order" in page
    assert re.search(r"directions of \d+ concepts, from", walker.said("neuronexplain dictionary learn dir").text)
    scenes = ("--network", "scenes", "--concepts", "demo/scenes", "--limit", "20")
    (measured,) = _rows(walker, "dictionary", "check", "moved", *scenes)
    assert measured["r2"] > 0.8
    assert measured["agreement"] > 0.5
    for words, reason in (
        (("dictionary", "learn", "moved", *scenes), "moved already exists"),
        (("dictionary", "learn", "new", "--from", "concepts", "--k", "3", *scenes), "--k would be ignored"),
        (("explain", "demo/photographs/beach.png", "--db", "features.db"), "features is no folder"),
    ):
        status, _, error = walker.run(*words)
        assert (status, error.count("\n")) == (2, 1)
        assert reason in error


def effect(walker: Walker) -> None:
    """Without masks one way is told, with them three, and by a label of another name the same."""
    without, with_masks, by_label = (one.text for one in walker.printed)
    assert "no masks say where hair is" in without
    assert "nurse leans on hair: " in with_masks
    assert "labelled coat" in by_label
    written = {path.name for path in (walker.folder / "nurse-hair").iterdir() if path.suffix != ".lock"}
    assert written == {"index.html", "audit.json", "effect.json", "effect.jsonl"}


def labelled(walker: Walker) -> None:
    """What is built on labels of a model says so, until they are checked; then it says what the check found."""
    said = "The neurons are named after labels by segformer-b0-finetuned-ade-512-512, not checked."
    assert said in walker.said("neuronexplain explain").text
    assert said in (walker.folder / "why" / "index.html").read_text()
    note = _json(walker.folder / "checked-concepts" / "model-labels.json")["checked"]
    assert note["images"] == LABELLED
    assert {one["name"] for one in note["concepts"]} == {"sky", "wall", "grass"}
    checked = walker.said("neuronexplain concepts label photos checked-concepts")
    assert f"checked: IoU .{round(100 * note['mean_iou']):02}." in checked.out


def mistakes(walker: Walker) -> None:
    """Those that lie in the wrong folder are found, as text, as a page and as a table."""
    shown, table = (one.out for one in walker.printed if one.source.startswith("neuronexplain audit"))
    assert "bedroom, taken for beach  [bedroom/0.png]" in shown
    assert table.count("\n") - 1 == shown.count(" taken for ") - shown.count("is taken for")
    assert read_audit(walker.folder / "audits" / "mistakes").kind == "mistakes"
    assert "bedroom, taken for beach" in (walker.folder / "audits" / "mistakes" / "index.html").read_text()


def rules(walker: Walker) -> None:
    """The workflow runs the page's command, and keeps files that it writes."""
    command = "neuronexplain audit rules rules.toml --db names.db --out rules --junit rules.xml"
    walker.said(command)
    (workflow,) = (block.text for block in pages.blocks(walker.pages[-1]) if block.language == "yaml")
    assert f"run: {command}\n" in workflow
    kept = re.search(r"path: \|\n((?: +\S+\n?)+)", workflow)
    assert kept
    assert all((walker.folder / path).exists() for path in (*kept[1].split(), "rules/index.html", "rules/rules.json"))


def shown(walker: Walker) -> None:
    assert (walker.folder / "why" / "index.html").is_file()
    assert (walker.folder / "why.html").is_file()


def studied(walker: Walker) -> None:
    """Ratings of another platform are counted."""
    assert "accuracy" in walker.said("neuronexplain study results what-is-it --ratings").text.lower()


def _rows(walker: Walker, *words: str) -> list[dict[str, Any]]:
    """The rows of a listing, as a program reads them."""
    status, out, error = walker.run(*words, "--json")
    assert status == 0, error
    return json.loads(out)


def _json(path: Path) -> Any:
    return json.loads(path.read_text())
