"""Groups of photographs: on a world whose answers are known, and against the definitions written out."""

import csv
import io
import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from two_runs import squares_network, two_runs
from worlds import CLASSES, colour_square

from db import NameStore
from dissection.errors import ClassNotFoundError, ConceptDataError
from dissection.execution.settings import Execution
from dissection.vocabulary import Concept
from neuronexplain.audit.groups.group_file import open_groups
from neuronexplain.audit.groups.groups import ConceptUnits, GroupedRecords, compare_groups
from neuronexplain.audit.groups.page import say_accuracies, say_carriers
from neuronexplain.audit.page import read_audit
from neuronexplain.audit.photograph_pass import PhotographPass

SHOWN = [
    *[("fire", colour, "dusk") for colour in ["red"] * 12],
    *[("fire", colour, "dawn") for colour in ["red"] * 3 + ["green"] * 9],
    *[("lake", "blue", group) for group in ["dusk"] * 10 + ["dawn"] * 10],
    *[("sun", "yellow", "dusk")] * 2,
]
"""Class, colour and group of each photograph: at dawn, most fires are green."""


@pytest.fixture(scope="module")
def database(made_once):
    return two_runs(made_once)


@pytest.fixture(scope="module")
def grouped_folder(tmp_path_factory):
    """Photographs in folders of their classes, and the table of their groups."""
    root = tmp_path_factory.mktemp("grouped")
    lines = ["image,group"]
    for number, (label, colour, group) in enumerate(SHOWN):
        (root / "photos" / label).mkdir(parents=True, exist_ok=True)
        square = colour_square(colour, at=(number % 11, number % 7), side=8 + number % 5)
        square.save(root / "photos" / label / f"{number:02}.png")
        lines.append(f"{label}/{number:02}.png,{group}")
    (root / "groups.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def compared(grouped_folder, database):
    network = squares_network()
    with NameStore.open(database) as store:
        run = store.run(1)
        units = store.dissection(run).units
    sorted_images = open_groups(grouped_folder / "photos", grouped_folder / "groups.csv", CLASSES)
    work = PhotographPass(network, run, sorted_images.images, Execution(batch_size=5))
    return compare_groups(work, sorted_images.groups, units), units, work


def test_accuracy_by_group_and_class(compared):
    gaps = {(gap.label, gap.group): gap for gap in compared[0].gaps()}
    assert set(gaps) == {("", "dawn"), ("fire", "dawn"), ("lake", "dawn")}, "no sun is at dawn"
    fire, lake, everything = gaps["fire", "dawn"], gaps["lake", "dawn"], gaps["", "dawn"]
    assert (fire.accuracy.value, fire.accuracy_of_other.value) == (0.25, 1.0)
    assert (fire.gap.value, fire.is_a_gap, fire.is_thin) == (-0.75, True, False)
    assert (lake.gap.value, lake.is_a_gap, lake.carriers) == (0.0, False, ())
    assert (everything.accuracy.value, everything.accuracy.images) == (13 / 22, 22)


def test_the_concepts_that_carry_a_gap_are_the_colours_that_were_changed(compared):
    fire = next(gap for gap in compared[0].gaps() if gap.label == "fire")
    assert {concept.concept for concept in fire.carriers[:2]} == {"red", "green"}
    assert say_carriers(fire).startswith("It is carried by ")
    assert "red (which speaks for fire in dusk)" in say_carriers(fire)
    assert "green (which speaks against fire in dawn)" in say_carriers(fire)
    assert say_accuracies(fire).startswith("Right in 25% (9 to 53%) of 12 in dawn and 100% (76 to 100%) of 12 in dusk")
    lake = next(gap for gap in compared[0].gaps() if gap.label == "lake")
    assert say_carriers(lake) == "No gap is known: chance may make as much."


def test_lit_contributions_are_their_definition(compared):
    records, units, work = compared
    network = work.network
    for number, (path, index) in enumerate(work.images.images):
        frame = network.preprocessing.tensor(network.preprocessing.frame(Image.open(path).convert("RGB")))[None]
        maps = torch.relu(network.module.detect(frame)).detach().requires_grad_()
        score = network.module.head(network.module.square(network.module.pool(maps).flatten(1)))[0, index]
        (slope,) = torch.autograd.grad(score, maps)
        for place, named in enumerate(records.concepts):
            expected = []
            for unit in named.units:
                lit = [value for value in maps[0, unit].flatten().tolist() if value > units[unit].threshold]
                expected.append(float(slope[0, unit].mean()) * sum(lit) / maps[0, unit].numel())
            assert records.lit[number, place] == pytest.approx(np.mean(expected), rel=1e-4, abs=1e-9)


def made_up(right: dict[tuple[str, str], tuple[int, int]], lit: dict[tuple[str, str], float]) -> GroupedRecords:
    """Records with so many right of so many by class and group, and what one concept contributes there."""
    generator = np.random.default_rng(0)
    classes, groups, is_right, contributed = [], [], [], []
    for (label, group), (hits, trials) in right.items():
        classes += [["a", "b"].index(label)] * trials
        groups += [group] * trials
        is_right += [number < hits for number in range(trials)]
        contributed += (lit[label, group] + generator.normal(0, 0.1, trials)).tolist()
    concepts = [ConceptUnits(Concept(1, "sand", "object"), (3, 5))]
    return GroupedRecords(
        ("a", "b"), np.array(classes), groups, np.array(is_right), concepts, np.array(contributed)[:, None]
    )


def test_differences_have_welchs_interval():
    records = made_up({("a", "x"): (30, 30), ("a", "y"): (10, 40)}, {("a", "x"): 1.0, ("a", "y"): 0.2})
    gap = records.gaps()[1]
    first, second = records.lit[:30, 0], records.lit[30:, 0]
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    (sand,) = gap.concepts
    assert (sand.mean, sand.mean_of_other) == pytest.approx((first.mean(), second.mean()))
    assert (sand.difference.low, sand.difference.high) == pytest.approx((interval.low, interval.high))
    assert (sand.units, gap.carriers) == ((3, 5), (sand,))


def test_a_concept_that_contributes_where_the_network_is_wrong_carries_nothing():
    records = made_up({("a", "x"): (30, 30), ("a", "y"): (10, 40)}, {("a", "x"): 0.2, ("a", "y"): 1.0})
    gap = records.gaps()[1]
    assert gap.is_a_gap
    assert gap.carriers == ()
    assert say_carriers(gap) == "No concept of which something may be said carries the gap."


def test_of_more_than_two_groups_each_is_compared_with_the_rest():
    numbers = {("a", "x"): (9, 10), ("a", "y"): (5, 10), ("a", "z"): (7, 20), ("b", "x"): (1, 1)}
    gaps = made_up(numbers, dict.fromkeys(numbers, 0.0)).gaps()
    assert [(gap.label, gap.group, gap.other) for gap in gaps] == [
        (label, group, "the rest") for label in ("", "a") for group in "xyz"
    ]
    assert (gaps[3].accuracy.images, gaps[3].accuracy_of_other.images) == (10, 30)
    assert gaps[3].accuracy_of_other.value == 12 / 30


def test_a_gap_must_hold_in_all_comparisons_together():
    numbers = {("a", "x"): (58, 60), ("a", "y"): (51, 60)}
    alone = made_up(numbers, dict.fromkeys(numbers, 0.0)).gaps()[1]
    numbers |= {("b", "x"): (60, 60), ("b", "y"): (60, 60)}
    together = made_up(numbers, dict.fromkeys(numbers, 0.0)).gaps()[1]
    assert alone.is_a_gap
    assert not together.is_a_gap
    assert alone.gap == together.gap


def test_few_photographs_are_said():
    numbers = {("a", "x"): (9, 9), ("a", "y"): (0, 30)}
    gap = made_up(numbers, dict.fromkeys(numbers, 0.0)).gaps()[1]
    assert gap.is_thin
    assert say_carriers(gap).endswith("These are few photographs.")


@pytest.fixture(scope="module")
def audited(grouped_folder, database, tmp_path_factory):
    words = ("audit", "groups", grouped_folder / "photos", "--groups", grouped_folder / "groups.csv")
    return (*words, "--db", database, "--run", 1), tmp_path_factory.mktemp("audits") / "groups"


def test_the_command_writes_a_page(run, audited):
    words, out = audited
    status, told, _ = run(*words, "--out", out)
    assert status == 0
    assert "fire: dawn and dusk\n  Right in 25%" in told
    page = (out / "index.html").read_text()
    assert "It is carried by" in page
    assert "No gap is known" in page
    assert "few photographs" not in page
    assert read_audit(out).kind == "groups"
    values = json.loads((out / "groups.json").read_text())
    assert [value["label"] for value in values] == ["", "fire", "lake"]
    rows = list(csv.DictReader(io.StringIO((out / "groups.csv").read_text())))
    carriers = {row["concept"] for row in rows if row["carries"] == "True"}
    assert set(values[1]["carriers"]) == carriers == {"red", "green"} | (carriers - {"red", "green"})
    assert run(*words, "--out", out)[:2] == (0, told)


def test_programs_get_json_and_csv_of_groups(run, audited):
    words, _ = audited
    values = json.loads(run(*words, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv")[1])))
    assert Counter(row["class"] for row in rows) == Counter(
        {value["label"]: max(len(value["concepts"]), 1) for value in values}
    )


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("image,group\nfire/00.png,a\nfire/99.png,b\n", "line 3: there is no image 'fire/99.png'"),
        ("image,group\nfire/00.png,a\nfire/01.png,a\n", "all images are in one group, 'a'"),
        ("image,group\nfire/00.png,a\nfire/00.png,b\n", "line 3: image 'fire/00.png' is in the table twice"),
        ("image,group\n../x.png,a\n", "line 2: image '../x.png' leads out of"),
        ("image,group\nfire/00.png,\n", "line 2: group is empty"),
        ("image,group\n", "it has no lines"),
        ("image,colour\nfire/00.png,red\n", "group"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(grouped_folder, tmp_path, table, reason):
    (tmp_path / "groups.csv").write_text(table)
    with pytest.raises(ConceptDataError) as told:
        open_groups(grouped_folder / "photos", tmp_path / "groups.csv", CLASSES)
    assert reason in str(told.value)


def test_classes_may_be_in_the_table(grouped_folder, tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("Image,Group,Class\nfire/00.png,a,Lake\nfire/01.png,b,fire\n")
    opened = open_groups(grouped_folder / "photos", table, CLASSES)
    assert [CLASSES[index] for _, index in opened.images.images] == ["lake", "fire"]
    assert (opened.groups, opened.ungrouped) == (("a", "b"), len(SHOWN) - 2)
    table.write_text("image,group,class\nfire/00.png,a,moon\n")
    with pytest.raises(ClassNotFoundError, match=r"line 2: the network has no class 'moon'"):
        open_groups(grouped_folder / "photos", table, CLASSES)


def test_what_is_refused_is_one_line(run, grouped_folder, database, tmp_path):
    words = ("--db", database, "--run", 1)
    for photographs, table in ((tmp_path / "no", grouped_folder / "groups.csv"), (grouped_folder / "photos", "no.csv")):
        status, told, errors = run("audit", "groups", photographs, "--groups", table, *words)
        assert (status, told, errors.count("\n")) == (2, "", 1), errors
