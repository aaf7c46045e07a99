"""The reproduction report: tables beside the paper's figures, and where the order of figures differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paper import BIAS, BOUNDS, BY_DEFINITION, CAM_REMARK, CLAIMS, ERRORS, PAPER, REMARKS
from verdicts import LEAST_IMAGES, Verdict, compare, interval

from neuronexplain.evaluation.baselines import BASELINES
from neuronexplain.evaluation.tables import shown
from neuronexplain.methods import METHODS
from neuronexplain.metrics.intervals import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paper import Claim
    from verdicts import Interval

    from neuronexplain.evaluation.tables import Report, TableRow

_ROWS = {
    **{method.title: name for name, method in METHODS.items()},
    **{baseline.title: baseline.name for baseline in BASELINES},
    "(always the same)": "always the same",
    "the most persuasive named units": "named",
    "other named units, at random": "any named",
    "other units, at random": "any",
}
"""Our names of the rows, by their titles."""

_BASELINES = {
    **{baseline.name: baseline.title.strip("()") for baseline in BASELINES},
    "always the same": "always saying the same",
    "any named": "other named units",
    "any": "other units",
}
"""The baselines in words, by the names of their rows."""

_STANDS = {Verdict.HOLDS: "beats", Verdict.UNCLEAR: "cannot be told from", Verdict.OPPOSITE: "is worse than"}

_HEAD = (
    "Every figure is computed by `scripts/reproduce/run.py`. In brackets: 95 % of resamples of the images. The paper "
    "used other networks and data, so compare its figures with ours by their order, not by their size."
)
_RULE = (
    "A claim of the paper **holds** if the two intervals do not overlap, **does not hold** if they do not overlap the "
    f"other way round, and otherwise our images **cannot tell**; fewer than {LEAST_IMAGES} images never can. The last "
    "column is about what the paper finds better. A method that does not beat a map that sees no image has shown "
    "nothing, whether or not it beats another method."
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
        return _ROWS.get(str(title), str(title))

    def figure(self, row: str, column: str) -> Figure | None:
        """A figure by row and column; None if it was not measured."""
        for table_row in self.report.rows:
            value = table_row.get(column)
            if self.key(table_row) == row and isinstance(value, Figure) and value.images:
                return value
        return None

    def interval(self, row: str, column: str) -> Interval | None:
        """What the images leave open of a figure; None if it was not measured."""
        value = self.figure(row, column)
        if value is None or (row, column) in BY_DEFINITION:
            return value and (value.value, value.value)
        return interval(value, BOUNDS.get(column))


def document(tables: Sequence[Measured], pictures: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    """The report in Markdown."""
    parts = [
        "# The Grad-CAM paper, measured again",
        _HEAD,
        "## Does the order agree?",
        _RULE,
        f"{summary(tables)}.",
        _order(tables),
        *(text for table in tables for text in _section(table)),
        "## Pictures",
        *(f"**{caption}**\n\n![{caption}]({path})" for caption, path in pictures),
        "## What was left out",
        "\n".join(f"- {note}" for note in notes) or "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def opposites(tables: Sequence[Measured]) -> list[str]:
    """The claims whose opposite was measured, one per line."""
    return [
        f"{entry.statement}: {entry.figures} on {entry.table.world}, {entry.table.data}; {entry.beside}"
        for entry in judged(tables)
        if entry.verdict is Verdict.OPPOSITE
    ]


def summary(tables: Sequence[Measured]) -> str:
    """How many claims got which verdict."""
    judgements = judged(tables)
    counts = Counter(entry.verdict for entry in judgements)
    unproven = sum(entry.verdict is Verdict.HOLDS and not entry.beats_baselines for entry in judgements)
    return (
        f"{len(judgements)} comparisons with the paper; hold: {counts[Verdict.HOLDS]}, of which {unproven} do not beat "
        f"every baseline; do not hold: {counts[Verdict.OPPOSITE]}; cannot be told: {counts[Verdict.UNCLEAR]}"
    )


@dataclass(frozen=True)
class Judgement:
    """A claim beside what was measured.

    Attributes:
        claim: the claim.
        table: what was measured.
        verdict: what the figures say of it.
        figures: the two figures, in the claim's order.
        baselines: how the figure that the paper finds better stands to each baseline of the table, in words.
    """

    claim: Claim
    table: Measured
    verdict: Verdict
    figures: str
    baselines: Mapping[str, Verdict]

    @property
    def beats_baselines(self) -> bool:
        """Whether what the paper finds better beats every baseline."""
        return bool(self.baselines) and set(self.baselines.values()) == {Verdict.HOLDS}

    @property
    def beside(self) -> str:
        """How what the paper finds better stands to the baselines."""
        if not self.baselines:
            return "no baseline was measured"
        standings = []
        for verdict, words in _STANDS.items():
            if names := [name for name, standing in self.baselines.items() if standing is verdict]:
                standings.append(f"{words} {', '.join(names)}")
        return f"{_title(self.claim.better[0])} {'; '.join(standings)}"

    @property
    def statement(self) -> str:
        """The claim in words."""
        (more, column), (less, less_column) = self.claim.more, self.claim.less
        if more == less:
            return f"{self.claim.protocol}: {_title(more)}, {column} > {less_column}"
        return f"{self.claim.protocol}: {_title(more)} > {_title(less)}, {column}"


def judged(tables: Sequence[Measured]) -> list[Judgement]:
    """Every claim beside each table that has both of its figures."""
    return [
        Judgement(
            claim,
            table,
            compare(more, less),
            f"{shown(table.figure(*claim.more))} against {shown(table.figure(*claim.less))}",
            _baselines(claim, table),
        )
        for claim in CLAIMS
        for table in tables
        if table.protocol == claim.protocol
        and (more := table.interval(*claim.more)) is not None
        and (less := table.interval(*claim.less)) is not None
    ]


def _order(tables: Sequence[Measured]) -> str:
    rows = [
        [
            entry.statement,
            entry.claim.says,
            f"{entry.table.world}: {entry.table.data}",
            f"**{entry.verdict}**",
            entry.figures,
            entry.beside,
        ]
        for entry in judged(tables)
    ]
    return _table(["in the paper", "where", "measured on", "verdict", "figures", "beside the baselines"], rows)


def _title(name: str) -> str:
    return METHODS[name].title if name in METHODS else name


def _baselines(claim: Claim, table: Measured) -> dict[str, Verdict]:
    """Whether what the paper finds better beats each baseline: its name and figure, and the verdict."""
    row, column = claim.better
    subject = table.interval(row, column)
    standings = {}
    for name, title in _BASELINES.items():
        baseline = table.interval(name, column)
        if subject is not None and baseline is not None:
            greater, smaller = (baseline, subject) if column in ERRORS else (subject, baseline)
            standings[f"{title} ({shown(table.figure(name, column))})"] = compare(greater, smaller)
    return standings


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
    notes = [*([f"paper: {where}"] if where else ()), *REMARKS.get(table.protocol, ())]
    if any(table.key(row) == "cam" for row in report.rows):
        notes.append(CAM_REMARK)
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
