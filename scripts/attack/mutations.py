"""Damaged files: each is refused, read as if it were whole, or, where the format has no checksum, is other data."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from damage import damaged
from files import write_files
from operations import DATED, IDENTITY, contents
from outcomes import Attempt, Outcome, fault
from readers import ANSWER, Reader, copied, readers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench import Bench
    from commands import Ending


def mutations(bench: Bench) -> Iterator[Attempt]:
    """Damage a file of every kind, again and again."""
    write_files(bench.world.folder)
    for reader in readers(bench.world):
        with bench.place() as folder:
            copy, _ = copied(reader, folder)
            ending, answer = _read(bench, reader, copy, folder)
            if ending.status:
                raise RuntimeError(f"{reader.kind} cannot be read undamaged: {ending.err}")
        for number in range(bench.sizes.mutations):
            with bench.place() as folder:
                yield _attempt(bench, reader, number, folder, answer)


def _attempt(bench: Bench, reader: Reader, number: int, folder: Path, answer: dict[str, str]) -> Attempt:
    dice = bench.dice("mutations", reader.kind, number)
    copy, files = copied(reader, folder)
    file = dice.choice(files)
    way, content = damaged(file.read_bytes(), dice, text=reader.is_text)
    file.write_bytes(content)
    case = f"--only mutations --seed {bench.seed}: {reader.kind} {number}, {way}"
    attempt = Attempt("files", reader.kind, Outcome.RIGHT, case)
    ending, other_answer = _read(bench, reader, copy, folder)
    if bad := fault(ending):
        return replace(attempt, outcome=bad[0], detail=bad[1])
    if ending.status:
        # what is resumable may be kept for a time at which the file is mended
        extra = [name for name in other_answer if ".unfinished" not in name and not name.endswith(".archives/lock")]
        if extra:
            return replace(attempt, outcome=Outcome.LEFT_OVER, detail=", ".join(extra[:5]))
        return replace(attempt, outcome=Outcome.REFUSED)
    if other_answer == answer:
        return attempt
    if not reader.is_checked:
        return replace(attempt, outcome=Outcome.OTHER_DATA)
    differing = sorted(dict(set(answer.items()) ^ set(other_answer.items())))
    return replace(attempt, outcome=Outcome.OTHER, detail=f"other: {', '.join(differing[:5])}")


def _read(bench: Bench, reader: Reader, copy: Path, folder: Path) -> tuple[Ending, dict[str, str]]:
    """How the command ended, and its answer: what it wrote, and where it writes nothing, what it said."""
    out = folder / "out" / ANSWER
    out.parent.mkdir()
    ending = bench.warm.run(reader.words(copy, out), root=folder)
    answer = contents(out.parent, without=DATED | IDENTITY)
    if not answer and not ending.status:
        answer = {"said": hashlib.sha256(ending.out.encode()).hexdigest()}
    return ending, answer
