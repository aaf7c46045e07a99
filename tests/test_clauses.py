"""What may be said of a unit, against the table of clauses written out case by case."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissection.vocabulary import Concept, Evidence, Truth, UnitName
from neuronexplain.clauses import clause, persuasive
from neuronexplain.vocabulary import DEFAULT_RULES, RankedUnit, Rules

EVIDENCE = Evidence(0.01, 0.02, 0.9, (0.08, 0.12), (0.01, 0.03), (), (), (1.0,))


def unit(number: int = 0, name: str | None = "sand", **changes) -> RankedUnit:
    """A unit that is proven, lit, and speaks for the target."""
    named = UnitName(number, Concept(number + 1, name, "object"), 0.1, 20) if name else None
    base = RankedUnit(number, 0.5, 0.1, 2.0, None, True, 1.0, named, 0.8, Truth(40, 30, 160, 1), EVIDENCE)
    return replace(base, **changes)


def silent(number: int = 0, name: str | None = "sand", **changes) -> RankedUnit:
    """A unit that is proven, not lit, and whose concept would speak against the target."""
    return unit(
        number, name, **({"alpha": -0.5, "effect": 0.0, "potential": -1.0, "lit": False, "truth": None} | changes)
    )


def slow(ranked, namesakes, total, rules):
    """The table: the first row whose condition holds."""
    is_proven = ranked.evidence is None or ranked.evidence.q <= rules.max_q
    is_sure = ranked.truth is None or ranked.truth >= rules.min_truth
    nobody_lit = all(not other.lit for other in namesakes)
    all_against = all(other.alpha < 0 and could_lower(other) for other in namesakes)
    rows = {
        "no name": not ranked.name,
        "no proven name": not is_proven,
        "true too rarely": ranked.lit and not is_sure,
        "responds": ranked.lit and ranked.alpha > 0 and ranked.effect > 0,
        "against": ranked.lit and ranked.effect < 0,
        "unclear effect": ranked.lit,
        "absent": nobody_lit and all_against and any((other.absence or 1) >= 0.99 for other in namesakes),
        "missed": nobody_lit
        and not all_against
        and ranked.alpha > 0
        and (ranked.potential or 0) > 0
        and ranked.counts.precision >= rules.min_truth
        and abs(ranked.effect) < 0.01 * total,
        "not lit": True,
    }
    return next(row for row, holds in rows.items() if holds)


def could_lower(ranked):
    """Whether the score would fall if the unit responded, as far as that is kept."""
    return ranked.evidence is None or (ranked.potential is not None and ranked.potential < 0)


SIGNS = (-1.0, 0.0, 1.0)


def test_every_row_of_the_table():
    cases = product(
        (None, "sand"),
        (None, 0.05, 0.06),
        (True, False),
        (None, 0.49, 0.5),
        SIGNS,
        (-0.009, 0.0, 0.009, 0.01, 1.0),
        (None, *SIGNS),
        (None, 0.98),
        (Truth(40, 30, 160, 1), Truth(40, 19, 160, 1)),
    )
    said = set()
    for name, q, lit, truth, alpha, effect, potential, absence, counts in cases:
        evidence = None if q is None else replace(EVIDENCE, q=q)
        numbers = {"truth": truth, "alpha": alpha, "effect": effect, "potential": potential, "absence": absence}
        numbers |= {"counts": counts}
        ranked = unit(name=name, evidence=evidence, lit=lit, **numbers)
        for others in (
            [],
            [silent(1)],
            [unit(1)],
            [silent(1, alpha=0.1)],
            [silent(1, potential=None)],
            [silent(1, absence=0.989)],
            [silent(1, absence=0.99)],
        ):
            judged = clause(ranked, [ranked, *others], [ranked, *others], 1.0, DEFAULT_RULES)
            assert judged == slow(ranked, [ranked, *others], 1.0, DEFAULT_RULES), (ranked, others)
            said.add(judged)
    assert len(said) == 9


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_rules_are_the_users(q, max_q, truth, min_truth):
    ranked = unit(evidence=replace(EVIDENCE, q=q), truth=truth)
    said = clause(ranked, [ranked], [ranked], 1.0, Rules(max_q=max_q, min_truth=min_truth))
    assert (said == "responds") is (q <= max_q and truth >= min_truth)


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ([], ["sand", "sea"]),
        ([unit(2, "sand", clause="against")], ["sea"]),
        ([unit(2, "bed", clause="against"), silent(3, "sea", clause="absent")], ["sand", "sea"]),
    ],
)
def test_a_name_that_pulls_both_ways_is_no_reason(others, names):
    units = [unit(0, "sand", clause="responds"), unit(1, "sea", clause="responds"), *others]
    assert [ranked.name.concept.name for ranked in persuasive(units)] == names
