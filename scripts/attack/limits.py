"""A poor place to work: outputs that are closed or full, few files, little memory, no home, folders to read only."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands import cold, plain_environment
from operations import Operation, contents
from outcomes import Attempt, Outcome, fault, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench import Bench


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to work.

    Attributes:
        name: what is poor about it.
        shell: the shell's command that runs the command there.
        statuses: exit statuses that are in order besides 0 and 2.
        is_silent: whether a refusal cannot be seen.
        takes_memory: whether "out of memory" is the right answer.
    """

    name: str
    shell: str
    statuses: tuple[int, ...] = ()
    is_silent: bool = False
    takes_memory: bool = False


_NO_RIGHTS = "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner --inh-caps=-all"
"""Lets root, too, be refused what the permissions forbid."""

PLACES = (
    _Place("standard output closed", '"$@" >&-'),
    _Place("standard output that nobody reads", '"$@" | true; exit ${PIPESTATUS[0]}', statuses=(1,)),
    _Place("standard output full", '"$@" >/dev/full'),
    _Place("standard error closed", '"$@" 2>&-', is_silent=True),
    _Place("standard input closed", '"$@" <&-'),
    _Place("all three closed", '"$@" >&- 2>&- <&-', is_silent=True),
    _Place("24 open files", 'ulimit -n 24; "$@"'),
    _Place("files of 4 KB", 'ulimit -f 4; "$@"'),
    _Place("files of 64 KB", 'ulimit -f 64; "$@"'),
    _Place("1 GB of memory", 'ulimit -v 1048576; "$@"', takes_memory=True),
    _Place("no home", 'unset HOME XDG_CACHE_HOME; "$@"'),
    _Place("a home that does not exist", 'export HOME=/nonexistent; "$@"'),
    _Place("no environment", 'exec env -i PATH="$PATH" PYTHONPATH="$PYTHONPATH" "$@"'),
    _Place("a plain locale", 'export LC_ALL=C; "$@"'),
    _Place("no folder for temporary files", 'export TMPDIR=/nonexistent; "$@"'),
    _Place("a folder to read only", 'chmod a-w "$PLACE"; $RIGHTS "$@"'),
)
_FEW = ("build", "export a file", "import", "evaluate", "explain", "convert")


def limits(bench: Bench) -> Iterator[Attempt]:
    """Run commands in every poor place, each as a shell starts it."""
    chosen = [operation for operation in bench.operations if operation.name in _FEW]
    for number, place in enumerate(PLACES):
        if bench.sizes.signals < len(chosen):  # a few, in turns
            some = [chosen[(number + turn) % len(chosen)] for turn in range(bench.sizes.signals)]
        else:
            some = chosen
        for operation in some:
            yield _attempt(bench, operation, place)


def _attempt(bench: Bench, operation: Operation, place: _Place) -> Attempt:
    case = f"--only limits: {operation.name}, {place.shell}"
    with bench.place(operation.name.replace(" ", "-")) as folder:
        operation.prepare(folder)
        before = set(contents(folder))
        ending = cold(operation.words(folder), environment=_environment(folder), shell=place.shell)
        folder.chmod(0o755)
        bad = fault(ending, also=dict.fromkeys(place.statuses, ""), is_silent=place.is_silent)
        if bad and bad[0] is Outcome.MEMORY and place.takes_memory and refusals(ending):
            bad = None
        if bad is None and ending.status and operation.name in {"export a file", "import"}:
            extra = sorted(set(contents(folder)) - before - set(operation.whole))
            bad = (Outcome.LEFT_OVER, ", ".join(extra[:5])) if extra else None
    outcome, detail = bad or (Outcome.REFUSED if ending.status else Outcome.RIGHT, "")
    return Attempt("limits", place.name, outcome, case, detail)


def _environment(folder: Path) -> Mapping[str, str]:
    rights = _NO_RIGHTS if os.geteuid() == 0 and shutil.which("setpriv") else ""
    return {**plain_environment(), "PLACE": str(folder), "RIGHTS": rights}
