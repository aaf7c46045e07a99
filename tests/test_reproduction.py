"""The reproduction report says where the order of figures differs from the paper's."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from neuronexplain.evaluation.tables import Report, shown
from neuronexplain.methods import METHODS
from neuronexplain.metrics.intervals import Figure


@pytest.fixture
def report(monkeypatch):
    """The script's module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts" / "reproduce"))
    yield import_module("report")
    for name in ("report", "paper"):
        sys.modules.pop(name, None)


def table(report, protocol, column, **figures):
    """A table with one figure for each method, an interval of 0.1 to each side."""
    rows = tuple(
        {"method": METHODS[name.replace("_", "-")].title, column: Figure(value, value - 0.1, value + 0.1, 9)}
        for name, value in figures.items()
    )
    columns = {"method": "method", column: "the figure"}
    return report.Measured(protocol, "a network", "9 images", Report("What was measured", columns, rows, ("a note",)))


def test_an_order_like_the_papers_is_said_and_nothing_is_flagged(report):
    found = table(report, "ratio", "ratio", grad_cam=3.0, guided_backprop=2.0, guided_grad_cam=6.0)
    assert report.disagreements([found]) == []
    text = report.document([found], [("A picture", "a.png")], [])
    assert text.count("yes: ") == 3
    assert "**no**" not in text
    assert f"| Grad-CAM | 3.27 | {shown(Figure(3.0, 2.9, 3.1, 9))} |" in text
    assert "![A picture](a.png)" in text
    assert "- a note" in text


def test_another_order_is_flagged_and_whether_the_intervals_overlap(report):
    found = table(report, "ratio", "ratio", grad_cam=2.0, guided_backprop=2.15, guided_grad_cam=1.0)
    lines = report.disagreements([found])
    assert len(lines) == 3
    (near,) = [line for line in lines if "overlap" in line]
    assert near.startswith("ratio: Grad-CAM > Guided Backpropagation, ratio: **no**: 2, 2.15 (the intervals overlap)")
    assert report.document([found], [], ["cam: why not"]).count("**no**") == 3


def test_what_was_not_measured_is_not_judged(report):
    found = table(report, "ratio", "ratio", grad_cam=2.0)
    assert report.disagreements([found]) == []
    assert "yes" not in report.document([found], [], [])


def test_every_claim_is_of_a_known_method_and_follows_from_the_papers_figures(report):
    for claim in report.CLAIMS:
        if claim.protocol in report.PAPER:
            _, column, figures = report.PAPER[claim.protocol]
            assert figures[claim.more[0]] > figures[claim.less[0]]
            assert claim.more[1] == claim.less[1] == column
            assert {claim.more[0], claim.less[0]} <= set(METHODS)
