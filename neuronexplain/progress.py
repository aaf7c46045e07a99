"""Progress bars where a person watches: in a terminal, and in a notebook. Programs stay silent.

The command line shows them always; the functions that people call from Python, by default where standard error is a
terminal or the code runs in a notebook. Nothing behind those functions knows of bars: it reports to a callable.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dissection.errors import not_taken
from dissection.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, TaskID

    from dissection.execution.settings import Execution, Progress

Item = TypeVar("Item")

ProgressChoice: TypeAlias = Callable[[str, int, int], None] | bool | None
"""Whether to show progress: by default (``None``) where a person watches; or what to call with it instead."""

_SECONDS = 0.2
"""Time between two pictures of the bars in a notebook."""


@contextmanager
def watched(progress: ProgressChoice) -> Iterator[Progress | None]:
    """What to report progress to: bars, the user's callable, or nothing.

    Raises:
        TypeError: if ``progress`` is neither a truth value nor a callable.
    """
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise not_taken("progress", progress, "True, False, or a callable that takes stage, done and total")
    if callable(progress):
        yield progress
    elif progress or (progress is None and is_watched()):
        with bars() as report:
            yield report
    else:
        yield None


@contextmanager
def watched_execution(execution: Execution | None) -> Iterator[Execution]:
    """How a job is carried out, with bars for its progress as :attr:`Execution.progress` chooses; only on rank 0.

    Raises:
        TypeError: if it is no :class:`Execution`.
    """
    from dataclasses import replace  # noqa: PLC0415 -- the command line's help waits for nothing

    from dissection.execution.settings import Execution  # noqa: PLC0415

    chosen = Execution() if execution is None else execution
    if not isinstance(chosen, Execution):
        raise not_taken("execution", chosen, "an Execution, such as Execution(batch_size=64)")
    silent = bool(chosen.ranks.number) and not callable(chosen.progress)
    with watched(False if silent else chosen.progress) as report:
        yield replace(chosen, progress=report)


def is_watched() -> bool:
    """Whether a person sees what is written now: in a notebook, or in a terminal."""
    return is_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def is_notebook() -> bool:
    """Whether the code runs in the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    return hasattr(sys.modules["IPython"].get_ipython(), "kernel")


def counted(items: Iterable[Item], progress: Callable[[int], object]) -> Iterator[Item]:
    """Yield the items; after each, call ``progress`` with the number taken so far."""
    for done, item in enumerate(items, 1):
        yield item
        progress(done)


@contextmanager
def bars(*counts: ProgressColumn) -> Iterator[Progress]:
    """Bars, one for each stage that is reported; a stage of unknown length (0) only shows that something is under way.

    Args:
        counts: the columns that count; by default images.
    """
    from rich.console import Console  # noqa: PLC0415 -- the command line's help waits for nothing
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *(counts or (MofNCompleteColumn(),)),
        TimeRemainingColumn(),
    )
    shown = Bars(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)
    screen = _Notebook(shown) if is_notebook() else shown
    stages: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        if not stages:
            screen.start()
        if stage not in stages:
            stages[stage] = shown.add_task(visible(stage), total=total or None)
        shown.update(stages[stage], completed=done, total=total or None, refresh=screen is not shown)

    try:
        yield report
    finally:
        if stages:  # without any, nothing is written
            screen.stop()


class _Notebook:
    """Shows bars in a cell's output, in place of rich's own way, which needs the widgets of ipywidgets."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._display: Any = None
        self._at = 0.0
        bars.refresh = self._refresh  # type: ignore[method-assign]  # called at each report

    def start(self) -> None:
        """Wait for the first report."""

    def stop(self) -> None:
        """Show where the bars end."""
        self._show()

    def _refresh(self) -> None:
        if monotonic() - self._at >= _SECONDS:
            self._show()

    def _show(self) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports] # noqa: PLC0415 -- there in a notebook

        picture = HTML(_html(self._bars))
        if self._display is None:
            self._display = display(picture, display_id=True)
        else:
            self._display.update(picture)
        self._at = monotonic()


def _html(bars: Bars) -> str:
    """Bars as HTML, in the notebook's own colour of text."""
    from io import StringIO  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    console = Console(file=StringIO(), record=True, width=110, force_jupyter=False)
    console.print(bars.get_renderable())
    style = (
        "margin:0;font-family:monospace;line-height:1.3;background:none;color:inherit;white-space:pre;overflow-x:auto"
    )
    return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')
