"""Attacks the command line and prints how it held: a table of attacks by outcome, of which the last five should be 0.

    python scripts/attack/run.py --small                   some minutes
    python scripts/attack/run.py --full                    hours
    python scripts/attack/run.py --only kills,io --seed 7

Every case is drawn from the seed; a fault is printed with its draw. Without a C compiler, kills, failing calls and
unfinished work are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process that forks must have no threads
sys.path.insert(0, str(Path(__file__).parents[2]))

from interposer import Interposer, restart_under
from outcomes import FAULTS, Attempt, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench import Bench


def subjects() -> Mapping[str, Callable[[Bench], Iterator[Attempt]]]:
    """All attacks, by name."""
    from crowds import crowds
    from failing_calls import failing_calls
    from interruptions import interruptions
    from killed_ranks import killed_ranks
    from kills import kills
    from limits import limits
    from mutations import mutations
    from unfinished import unfinished

    return {
        "kills": kills,
        "io": failing_calls,
        "mutations": mutations,
        "unfinished": unfinished,
        "signals": interruptions,
        "limits": limits,
        "crowds": crowds,
        "ranks": killed_ranks,
    }


def options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--smoke", action="store_true", help="as few cases as show that everything runs")
    size.add_argument("--small", action="store_true", help="a few cases of everything but ranks (the default)")
    size.add_argument("--full", action="store_true", help="all cases; takes hours")
    parser.add_argument("--only", default="", help="subjects, separated by commas; by default all")
    parser.add_argument("--commands", default="", help="commands that write, separated by commas; by default all")
    parser.add_argument("--cases", type=int, help="number of cases in place of that of the size")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    parser.add_argument("--json", type=Path, help="file for the counts and the faults")
    return parser.parse_args()


def main() -> None:
    """Attack, and print the table; the exit status is 1 if there are faults."""
    chosen = options()
    interposer = Interposer.loaded()
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as scratch:
        if interposer is None:
            restart_under(Path(scratch))
            print("there is no C compiler: kills, failing calls and unfinished work are left out", file=sys.stderr)
        table = Table()
        with suppress(KeyboardInterrupt):  # what was counted until then is told
            attack(chosen, Path(scratch).resolve(), interposer, table)
    _progress("")
    print(table.markdown())
    if chosen.json:
        counts = [
            {"subject": subject, "row": row, **{outcome.value: counter[outcome] for outcome in counter}}
            for (subject, row), counter in table.counts.items()
        ]
        content = {"seed": chosen.seed, "counts": counts, "faults": [asdict(attempt) for attempt in table.faults]}
        chosen.json.write_text(json.dumps(content, indent=1))
    sys.exit(1 if any(attempt.outcome in FAULTS for attempt in table.faults) else 0)


def attack(chosen: argparse.Namespace, scratch: Path, interposer: Interposer | None, table: Table) -> None:
    """Make the world, attack it, and count in the table; faults are printed as they come."""
    import bench as benches
    import torch
    from commands import Warm
    from operations import operations
    from world import write_world

    torch.set_num_threads(1)
    size = benches.FULL if chosen.full else benches.SMOKE if chosen.smoke else benches.SMALL
    if chosen.cases:
        size = replace(size, **dict.fromkeys(asdict(size), chosen.cases))
    known = subjects()
    names = chosen.only.split(",") if chosen.only else list(known)
    if unknown := set(names) - set(known):
        sys.exit(f"there is no subject {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    (scratch / "world").mkdir()
    warm = Warm(interposer)
    commands = frozenset(chosen.commands.split(",")) if chosen.commands else frozenset()
    world = write_world(scratch / "world", warm)
    prepared = benches.Bench(world, warm, size, chosen.seed, scratch / "work", commands)
    if commands and len(prepared.operations) < len(commands):
        sys.exit(f"there is no such command; choose from {', '.join(o.name for o in operations(world))}")
    for name in names:
        for attempt in known[name](prepared):
            table.add(attempt)
            if attempt.outcome in FAULTS:
                _progress("")
                print(f"{attempt.outcome}: {attempt.case}: {' '.join(attempt.detail.split())}", file=sys.stderr)
            _progress(f"{attempt.subject}: {attempt.row}, {table.tried} cases, {len(table.faults)} faults")


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
