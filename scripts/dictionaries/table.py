"""Prints what sentences of each kind of units reach, and what each dictionary holds."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from dissection.execution.settings import Execution
from dissection.learning.checking import check_dictionary, likeness
from neuronexplain.cli import console
from neuronexplain.evaluation.tables import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from judging import Comparison

    from dissection.networks.dictionaries.dictionary import Dictionary
    from neuronexplain.evaluation.tables import Report

ROWS = {
    "responds-true": "X responds: X is there, %",
    "spoken": "images with such a word, %",
    "mentions": "such words in a sentence",
    "absent-true": "there is no X: X is not there, %",
    "responds-sign": "the score falls without what speaks for it, %",
    "against-sign": "it rises without what speaks against it, %",
    "absent-sign": "it falls with what is absent switched on, %",
    "missed-sign": "it rises with what is silent switched on, %",
    "area": "lit area that lies on X, %",
}
"""The rows of `evaluate words` that are compared."""


def compare(comparison: Comparison, kinds: Mapping[str, Callable[[], Dictionary]]) -> None:
    """Print what sentences of each kind reach, what each dictionary holds, and how alike those of seeds are."""
    columns = {"neurons": _figures(comparison.report("neurons", None))}
    dictionaries: dict[str, Dictionary] = {}
    for name, learn in kinds.items():
        dictionaries[name] = comparison.dictionary(name, learn)
        columns[name] = _figures(comparison.report(name, dictionaries[name]))
    console.say(f"| | {' | '.join(columns)} |")
    console.say(f"|{'---|' * (len(columns) + 1)}")
    for key, words in ROWS.items():
        console.say(f"| {words} | {' | '.join(column.get(key, '') for column in columns.values())} |")
    more = ["", *(shown(comparison.advantage(name, "neurons")) for name in dictionaries)]
    console.say(f"| more of it than with neurons, points | {' | '.join(more)} |")
    for name, dictionary in dictionaries.items():
        check = check_dictionary(comparison.network, dictionary, comparison.judged, Execution())
        console.say(
            f"{name}: {check.features} features, R2 {check.r2:.3f}, {check.active:.1f} at a place, {check.dead} at "
            f"none, {check.agreement:.1%} of predictions stay"
        )
    for (name, one), (other_name, other) in combinations(dictionaries.items(), 2):
        if one.activation == other.activation == "topk":
            alike = likeness(one, other)
            console.say(f"{name} and {other_name}: cosine {alike.cosine:.2f}, {alike.alike:.0%} alike")


def _figures(report: Report) -> dict[str, str]:
    return {str(row["key"]): shown(row["value"]) for row in report.rows}
