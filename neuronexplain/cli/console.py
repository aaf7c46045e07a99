"""How commands write to people and programs: progress, tables, JSON and CSV."""

from __future__ import annotations

import csv
import json
import os
import sys
import warnings
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeVar

from dissection.errors import NeuronExplainError, NoteWarning
from dissection.plain_text import cell, visible, visible_json
from neuronexplain.figures import true_minus
from neuronexplain.progress import bars

from .signals import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from logging import LogRecord

    from rich.table import Table

    from dissection.execution.settings import Progress

Row = dict[str, object]
Item = TypeVar("Item")

_SCREEN = 20
"""Rows of a table that people see at once."""


def rank() -> int | None:
    """The rank of this process among those that torchrun started; None without torchrun."""
    return int(os.environ["RANK"]) if "RANK" in os.environ and "WORLD_SIZE" in os.environ else None


def open_missing_streams() -> None:
    """Open the null device in place of standard streams that were closed.

    Otherwise the next files to be opened, a database for one, would be standard output to whatever writes there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


@contextmanager
def only_rank_0() -> Iterator[None]:
    """Let only rank 0, or a single process, write; bars, notes, results and warnings of other ranks are dropped."""
    if not rank():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on standard error that count images, one for each stage that is reported."""
    with bars() as report:
        yield report


@contextmanager
def bytes_progress() -> Iterator[Progress]:
    """Bars on standard error that count bytes, one for each stage that is reported."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with bars(DownloadColumn(), TransferSpeedColumn()) as report:
        yield report


@contextmanager
def passing_progress() -> Iterator[Progress]:
    """Like :func:`progress`, but a bar disappears when its stage is done, so that lines can be printed between bars."""
    with ExitStack() as bar_context:
        current: list[Progress] = []

        def report(stage: str, done: int, total: int) -> None:
            if not current:
                current.append(bar_context.enter_context(progress()))
            current[0](stage, done, total)
            if done >= total:
                current.clear()
                bar_context.close()

        yield report


def say(text: str = "") -> None:
    """Write a line to standard output; a line break inside, as in a stranger's name, is shown as an escape."""
    sys.stdout.write(f"{visible(text)}\n")


def say_wrapped(text: str) -> None:
    """Write an indented paragraph to standard output."""
    width = get_terminal_size().columns if sys.stdout.isatty() else 120
    filled = fill(visible(text), width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    sys.stdout.write(f"{filled}\n")


def say_item(text: str, *, hanging: int) -> None:
    """Write a line to standard output; a terminal that is narrower gets several, indented by ``hanging``."""
    if not sys.stdout.isatty():
        say(text)
        return
    width, indent = get_terminal_size().columns, " " * hanging
    sys.stdout.write(f"{fill(visible(text), width, subsequent_indent=indent, break_on_hyphens=False)}\n")


def note(text: str) -> None:
    """Write a line to standard error, for people: programs read standard output."""
    sys.stderr.write(f"{visible(text)}\n")


def pass_over_logs_of_signals() -> None:
    """Let no library log that the command was stopped, which is told in one line: SQLAlchemy does, with a traceback."""
    import logging

    if logging.lastResort is not None:
        logging.lastResort.addFilter(_is_of_no_signal)


def _is_of_no_signal(record: LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], StoppedError))


def show_warnings() -> None:
    """Write warnings that are meant for users as notes; all others as Python does."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:  # noqa: ANN401 -- Python's own
        if isinstance(message, NoteWarning):
            note(f"Note: {message}.")
        else:
            usual(message, category, *place)

    warnings.showwarning = show  # type: ignore[assignment]  # its last arguments are of no interest


def write_json(value: object) -> None:
    """Write a value as JSON to standard output."""
    sys.stdout.write(f"{visible_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))}\n")


def require_one_form(*, as_json: bool, as_csv: bool) -> None:
    """Check that not both JSON and CSV are asked for.

    Raises:
        NeuronExplainError: if they are.
    """
    if as_json and as_csv:
        raise NeuronExplainError("--json and --csv are two forms of one answer; leave one of them out")


def write_rows(
    rows: Sequence[Row], columns: Mapping[str, str], *, as_json: bool, as_csv: bool, spare: Sequence[str] = ()
) -> None:
    """Write a listing: a table for people, JSON or CSV for programs.

    Args:
        rows: the rows; programs get all their keys.
        columns: heading by key, for the table.
        spare: keys of columns that a narrow terminal goes without, in this order.
        as_json: write JSON.
        as_csv: write CSV.

    Raises:
        NeuronExplainError: if both are asked for.
    """
    require_one_form(as_json=as_json, as_csv=as_csv)
    if as_json:
        write_json(rows)
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _csv_cell(value) for key, value in row.items()} for row in rows)
    else:
        _write_table(rows, columns, spare)


def row_limit(rows: Sequence[Item], limit: int | None, *, for_people: bool) -> int:
    """How many rows to write: by default all for programs, and for people what a screen holds."""
    return limit or (_SCREEN if for_people else len(rows))


def shown(rows: Sequence[Item], limit: int | None, *, for_people: bool) -> Sequence[Item]:
    """Of a ranking, both ends for people, and the first rows for programs, which cannot see a gap."""
    count = row_limit(rows, limit, for_people=for_people)
    return ends(rows, count) if for_people else rows[:count]


def ends(rows: Sequence[Item], limit: int) -> Sequence[Item]:
    """The first and the last rows, if there are more than ``limit``, else all."""
    if len(rows) <= limit:
        return rows
    return [*rows[: limit - limit // 2], *rows[len(rows) - limit // 2 :]]


def _write_table(rows: Sequence[Row], columns: Mapping[str, str], spare: Sequence[str]) -> None:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=None if sys.stdout.isatty() else 160)
    left_out: list[str] = []
    table = _table(rows, columns)
    for key in spare:
        if Measurement.get(console, console.options.update(width=10**6), table).minimum <= console.width:
            break
        left_out.append(key)
        table = _table(rows, {key: heading for key, heading in columns.items() if key not in left_out})
    console.print(table)
    if left_out:
        headings = ", ".join(columns[key] for key in left_out)
        note(f"Left out for want of room: {headings}. A wider window shows more, --json all.")


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> Table:
    """A table in which words may be wrapped, and numbers may not."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key, heading in columns.items():
        is_number = any(isinstance(row[key], int | float) for row in rows)
        unbroken = [*heading.split(), *(_table_cell(row[key]) for row in rows if is_number)]
        widest = max(map(len, unbroken), default=0)
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold", min_width=widest)
    for row in rows:
        table.add_row(*(Text(visible(_table_cell(row[key]))) for key in columns))
    return table


def _csv_cell(value: object) -> object:
    """Numbers as they are: only text can be a formula."""
    return value if value is None or isinstance(value, int | float) else cell(str(value))


def _table_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return true_minus(f"{value:.3g}")
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
