"""Rules on what a class may and must lean on: how they are read, judged and told."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from defusedxml import ElementTree as SafeTree
from hair_world import write_hair_world

from dissection.vocabulary import Concept
from neuronexplain.audit.effect.covering import AuditDraws
from neuronexplain.audit.effect.effect import Reliance
from neuronexplain.audit.effect.named_network import Leaning
from neuronexplain.audit.effect.ways import Way
from neuronexplain.audit.rules.junit import junit_xml
from neuronexplain.audit.rules.rules import judged
from neuronexplain.audit.rules.rules_file import LeaningRule, RulesError, read_rules
from neuronexplain.metrics.intervals import UNKNOWN, Figure, figure


@pytest.fixture(scope="module")
def world(made_once):
    return made_once("hair-world", write_hair_world)


def written(tmp_path, text):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return path


RULES = """
photographs = "photos"
masks = "hair-masks"

[[rule]]
name = "nurses by their work"
class = "nurse"
concept = "hair"
at_most = "5%"

[[rule]]
class = "zebra"
concept = "stripes"
thing = "stripes"
must_lean = true
way = "pixels"

[[rule]]
class = "doctor"
concept = "coat"
at_least = "2.5 %"
"""


def test_a_file_is_read(tmp_path):
    rules = read_rules(written(tmp_path, RULES))
    assert (rules.photographs, rules.masks) == (tmp_path / "photos", tmp_path / "hair-masks")
    first, second, third = rules.rules
    assert first == LeaningRule("nurses by their work", "nurse", "hair", "", "neurons", 5.0, None, must_lean=False)
    assert (second.must_lean, second.way, second.thing) == (True, "pixels", "stripes")
    assert second.name == "zebra must lean on stripes (pixels)"
    assert third.name == "doctor must lean on coat by at least 2.5 % of its score"


RULE = '[[rule]]\nclass = "a"\nconcept = "b"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no [[rule]]"),
        ("rule = 3", "holds no [[rule]]"),
        ("a = ", "is not TOML: Invalid value (at end of document)"),
        (f'{RULE}at_most = "5%"\nat_mots = "3%"', "line 5: at_mots: it is not known here; choose one of name, class"),
        (
            'masks = "m"\nphotos = "p"\n' + RULE,
            "line 2: photos: it is not known here; choose one of photographs, masks",
        ),
        (RULE, "line 1: rule 1 has no limit; it needs one of at_most, at_least, must_lean"),
        (f'{RULE}at_most = "5%"\nmust_lean = true', "rule 1 has at_most and must_lean"),
        ('[[rule]]\nclass = "a"\nat_most = "5%"', "rule 1 has no concept"),
        (f"{RULE}at_most = 5", "line 4: at_most: it is 5; a share of the score from 0 to 100 is needed"),
        (f'{RULE}at_most = "5"', "line 4: at_most: it is '5'"),
        (f'{RULE}at_most = "500%"', "line 4: at_most: it is '500%'"),
        (f'{RULE}at_most = "-5%"', "line 4: at_most: it is '-5%'"),
        (f'{RULE}way = "magic"\nat_most = "5%"', "line 4: way: 'magic' is no way; choose one of neurons, pixels"),
        (f"{RULE}must_lean = false", 'line 4: must_lean: it can only be true; to forbid leaning, write at_most = "1%"'),
        ('[[rule]]\nclass = 3\nconcept = "b"\nat_most = "5%"', "line 2: class: it is 3; a text"),
        (f'{RULE}name = """\nof\ntwo lines"""\nat_most = "5%"\nextra = 1', "line 8: extra: it is not known"),
        (f'{RULE}at_most = "5%"\n{RULE}at_most = "5%"', "two rules are called"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(RulesError) as refused:
        read_rules(written(tmp_path, text))
    assert said in str(refused.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "rules.toml").write_bytes(b"\xff")
    with pytest.raises(RulesError, match="is not TOML"):
        read_rules(tmp_path / "rules.toml")


def reliance(share, *, photographs=40, excess=None, name="neurons"):
    measured = UNKNOWN if share is None else Figure(*share, photographs)
    more = Figure(*excess, photographs) if excess else measured
    beside = dict.fromkeys(("random", "fall", "elsewhere", "correlation"), Figure(0.5, 0.4, 0.6, photographs))
    ways = [
        Way(name, measured, more, measured, photographs, beside, "no neuron has the proven name hair")
        if one == name
        else Way(one, UNKNOWN, UNKNOWN, UNKNOWN, 0, {}, "no masks say where hair is")
        for one in ("neurons", "pixels", "correlation")
    ]
    return Reliance(Leaning(0, "nurse", Concept(1, "hair", "object"), (0,)), tuple(ways), (), "photos", AuditDraws())


def rule(**limits):
    values = {"at_most": None, "at_least": None, "must_lean": False, "way": "neurons"} | limits
    return LeaningRule(
        "a rule",
        "nurse",
        "hair",
        "",
        values["way"],
        values["at_most"],
        values["at_least"],
        must_lean=values["must_lean"],
    )


@pytest.mark.parametrize(
    ("limits", "share", "outcome"),
    [
        ({"at_most": 5.0}, (3, 2, 4), "kept"),
        ({"at_most": 5.0}, (3, 2, 5), "kept"),
        ({"at_most": 5.0}, (8, 6, 10), "broken"),
        ({"at_most": 5.0}, (4, 2, 6), "undecided"),
        ({"at_most": 0.0}, (-1, -2, -0.5), "kept"),
        ({"at_least": 5.0}, (8, 6, 10), "kept"),
        ({"at_least": 5.0}, (3, 2, 4), "broken"),
        ({"at_least": 5.0}, (4, 2, 6), "undecided"),
        ({"must_lean": True}, (4, 2, 6), "kept"),
        ({"must_lean": True}, (0.2, -0.1, 0.5), "broken"),
        ({"must_lean": True}, (-4, -5, -3), "broken"),
        ({"must_lean": True}, (2, 0.5, 3.5), "undecided"),
    ],
)
def test_a_rule_is_judged_by_the_whole_interval(limits, share, outcome):
    found = judged(rule(**limits), reliance(share))
    assert found.outcome == outcome
    assert found.message.startswith("nurse m")
    assert ("would decide it" in found.message) == (outcome == "undecided")


def test_a_rule_that_must_lean_goes_by_what_other_neurons_hold_too():
    found = judged(rule(must_lean=True), reliance((9, 8, 10), excess=(0.1, -0.5, 0.6)))
    assert (found.outcome, found.message) == (
        "broken",
        "nurse must lean on hair: it is 0.100 % (\N{MINUS SIGN}0.500 to 0.600) beyond others",
    )


def test_what_would_decide_a_rule_follows_from_the_interval():
    found = judged(rule(at_most=5.0), reliance((4, 2, 6), photographs=40))
    assert found.message.endswith("; about 120 more photographs of nurse would decide it")  # twice as narrow: 4 x 40
    found = judged(rule(at_most=5.0), reliance((4, 2, 5.1), photographs=40))
    needed = math.ceil(40 * 1.1**2)
    assert found.message.endswith(f"about {needed - 40} more photographs of nurse would decide it")
    found = judged(rule(at_least=5.0), reliance((5.0, 2, 6)))
    assert "more photographs will hardly decide it; set another limit" in found.message
    few = judged(rule(at_most=5.0), reliance((1, 0, 2), photographs=7))
    assert few.outcome == "undecided"
    assert few.message.endswith("7 photographs are too few: about 3 more photographs of nurse would decide it")


def test_as_many_photographs_as_it_says_do_decide_a_rule():
    """Simulated: photographs that each hold 4 +- 6 % of the score, where 5 % are allowed."""
    generator = np.random.default_rng(0)

    def audited(count):
        share = figure(generator.normal(4, 6, count))
        return reliance((share.value, share.low, share.high), photographs=count)

    decided = 0
    for _ in range(20):
        first = judged(rule(at_most=5.0), audited(60))
        if first.outcome != "undecided" or "would decide" not in first.message:
            continue
        more = int(first.message.split("about ")[1].split()[0])
        if abs(first.way.figure.value - 4) < 0.5:  # else the first photographs misled
            decided += judged(rule(at_most=5.0), audited(2 * more + 60)).outcome == "kept"
    assert decided >= 5


def test_where_there_is_nothing_to_measure_the_reason_is_told():
    found = judged(rule(at_most=5.0), reliance(None, photographs=0))
    assert found.outcome == "undecided"
    assert found.message == ("nurse may lean on hair by at most 5 % of its score: no neuron has the proven name hair")
    other = replace(found.reliance, ways=(found.reliance.ways[0], *reliance((4, 3, 5), name="pixels").ways[1:]))
    assert judged(rule(at_most=5.0), other).message.endswith('; way = "pixels" has something to measure')


def test_junit_is_what_ci_reads():
    judgements = [
        judged(rule(at_most=5.0), reliance((8, 6, 10))),
        judged(rule(at_most=5.0), reliance((4, 2, 6))),
        replace(
            judged(rule(at_most=5.0), reliance((3, 2, 4))), rule=replace(rule(at_most=5.0), name="<a & \x1b\uffff>")
        ),
    ]
    suites = SafeTree.fromstring(junit_xml(judgements, suite="rules.toml"))
    assert suites.tag == "testsuites"
    (suite,) = suites
    counts = {name: suite.attrib[name] for name in ("name", "tests", "failures", "errors", "skipped", "time")}
    assert counts == {"name": "rules.toml", "tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "0"}
    broken, undecided, kept = suite
    assert all(case.tag == "testcase" and {"name", "classname", "time"} <= set(case.attrib) for case in suite)
    assert [[child.tag for child in case] for case in suite] == [["failure"], ["skipped"], ["system-out"]]
    assert "it is 8.0 % (6.0 to 10.0)" in broken[0].attrib["message"]
    assert "would decide it" in undecided[0].attrib["message"]
    assert kept.attrib["name"] == "<a & \\x1b\ufffd>"


ASKED = """
[[rule]]
name = "nurses by their work"
class = "nurse"
concept = "hair"
at_most = "5%"

[[rule]]
class = "nurse"
concept = "coat"
must_lean = true
way = "pixels"

[[rule]]
class = "nurse"
concept = "shoes"
at_most = "5%"
"""


@pytest.mark.parametrize(("name", "outcomes"), [("biased", "broken"), ("balanced", "kept")])
def test_the_command_ends_with_1_where_a_rule_is_broken(name, outcomes, run, world, tmp_path):
    path = written(tmp_path, ASKED)
    data = ["--photos", world / "photos", "--masks", world / "hair-masks", "--db", world / f"{name}.db"]
    words = ["audit", "rules", path, *data, "--out", tmp_path / "out", "--junit", tmp_path / "rules.xml"]
    status, out, error = run(*words)
    assert status == (outcomes == "broken"), error
    lines = out.splitlines()
    assert lines[0].startswith(
        f"{outcomes:9}  nurses by their work: nurse may lean on hair by at most 5 % of its score"
    )
    assert lines[1].startswith("kept       nurse must lean on coat: it is ")
    assert lines[2].startswith(
        "undecided  nurse may lean on shoes by at most 5 % of its score: no neuron has the proven"
    )
    counts = {"broken": "1 kept, 1 broken, 1 undecided.", "kept": "2 kept, 0 broken, 1 undecided."}
    assert lines[3] == counts[outcomes]
    if outcomes == "kept":
        return
    status, out, _ = run(*words, "--json", "--strict")
    assert status == 1
    told = json.loads(out)
    assert told["rules"][0]["outcome"] == outcomes
    assert told == json.loads((tmp_path / "out" / "rules.json").read_text())
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index("nurses by their work") < page.index("nurse must lean on coat")
    assert "<script" not in page
    assert SafeTree.parse(tmp_path / "rules.xml").getroot()[0].attrib["tests"] == "3"
    assert len(list((tmp_path / "out" / "measured").glob("*.jsonl"))) == 3


def test_the_command_refuses_before_it_measures(run, world, tmp_path):
    for text, said in (
        (RULES.replace("zebra", "surgeon"), "no class 'surgeon'"),
        (RULES.replace('"stripes"', '"hare"'), "such as hair"),
        (RULES, "photos is not a folder"),
        (RULES.replace("at_most", "atmost"), "line 8: atmost"),
    ):
        status, out, error = run(
            "audit", "rules", written(tmp_path, text.replace('masks = "hair-masks"\n', "")), "--db", world / "biased.db"
        )
        assert (status, out) == (2, ""), said
        assert said in error
