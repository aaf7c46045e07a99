"""The reproduction report: tables beside the paper's figures, and where the order of figures differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paper import BIAS, CLAIMS, PAPER, REMARKS

from neuronexplain.evaluation.tables import shown
from neuronexplain.methods import METHODS
from neuronexplain.metrics.intervals import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paper import Claim

    from neuronexplain.evaluation.tables import Report, TableRow

_TITLES = {method.title: name for name, method in METHODS.items()}
_ROWS = {"the most persuasive named units": "named", "other units, at random": "any"}


_HEAD = (
    "Every figure is computed by `scripts/reproduce/run.py`. In brackets: 95 % of resamples of the images. The paper "
    "used other networks and data, so compare its figures with ours by their order, not by their size."
)


@dataclass(frozen=True)
class Measured:
    """One table.

    Attributes:
        protocol: as in ``PAPER``.
        world: which network.
        data: which images.
        report: the table.
    """

    protocol: str
    world: str
    data: str
    report: Report

    def key(self, row: TableRow) -> str:
        """The name of a row's method or other subject."""
        (title, *_) = row.values()
        return _TITLES.get(str(title), _ROWS.get(str(title), str(title)))

    def figure(self, row: str, column: str) -> Figure | None:
        """A figure by row and column; None if it was not measured."""
        for table_row in self.report.rows:
            value = table_row.get(column)
            if self.key(table_row) == row and isinstance(value, Figure) and value.images:
                return value
        return None


def document(tables: Sequence[Measured], pictures: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    """The report in Markdown."""
    parts = [
        "# The Grad-CAM paper, measured again",
        _HEAD,
        "## Does the order agree?",
        _order(tables),
        *(text for table in tables for text in _section(table)),
        "## Pictures",
        *(f"**{caption}**\n\n![{caption}]({path})" for caption, path in pictures),
        "## What was left out",
        "\n".join(f"- {note}" for note in notes) or "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def disagreements(tables: Sequence[Measured]) -> list[str]:
    """The claims that do not hold, one per line."""
    judged = [(claim, table, *_judge(claim, table)) for claim in CLAIMS for table in tables]
    return [
        f"{_statement(claim)}: {verdict} on {table.world}, {table.data}"
        for claim, table, verdict, holds in judged
        if holds is False
    ]


def _order(tables: Sequence[Measured]) -> str:
    worlds = list(dict.fromkeys(table.world for table in tables))
    rows = []
    for claim in CLAIMS:
        verdicts = {table.world: _judge(claim, table)[0] for table in tables if table.protocol == claim.protocol}
        if any(verdicts.values()):
            rows.append([_statement(claim), claim.says, *(verdicts.get(world, "") for world in worlds)])
    return _table(["in the paper", "where", *worlds], rows)


def _statement(claim: Claim) -> str:
    (more, column), (less, less_column) = claim.more, claim.less
    if more == less:
        return f"{claim.protocol}: {_title(more)}, {column} > {less_column}"
    return f"{claim.protocol}: {_title(more)} > {_title(less)}, {column}"


def _title(name: str) -> str:
    return METHODS[name].title if name in METHODS else name


def _judge(claim: Claim, table: Measured) -> tuple[str, bool | None]:
    """Whether the claim holds in a table; None if the table is of another protocol or lacks the figures."""
    if table.protocol != claim.protocol:
        return "", None
    more, less = table.figure(*claim.more), table.figure(*claim.less)
    if more is None or less is None:
        return "", None
    figures = f"{more.value:.3g}, {less.value:.3g}"
    if more.value > less.value:
        return f"yes: {figures}", True
    separate = more.high < less.low
    return f"**no**: {figures}{'' if separate else ' (the intervals overlap)'}", False


def _section(table: Measured) -> list[str]:
    report, paper = table.report, _paper(table)
    first, *others = report.columns
    keys = [first, *(["paper"] if paper else []), *others]
    headings = {**report.columns, "paper": "paper"}
    rows = []
    for row in report.rows:
        cells = {key: shown(row.get(key)) for key in report.columns}
        value = paper.get(table.key(row))
        cells["paper"] = "" if value is None else f"{value:g}"
        rows.append([cells[key] for key in keys])
    where = PAPER[table.protocol][0] if table.protocol in PAPER else ""
    notes = [f"paper: {where}", *REMARKS.get(table.protocol, ())] if where else []
    return [
        f"## {report.title}",
        f"On {table.world}: {table.data}.",
        _table([headings[key] for key in keys], rows),
        "\n".join(f"- {note}" for note in [*notes, *report.notes]),
    ]


def _paper(table: Measured) -> dict[str, float]:
    if table.protocol == "bias":
        return BIAS
    return PAPER[table.protocol][2] if table.protocol in PAPER else {}


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
