"""Several processes in one database: builds of the same and of other names, readers beside a writer, a lost server."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from kills import save_often
from operations import contents
from outcomes import Attempt, Outcome, fault
from server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench import Bench
    from commands import Ending, Running

_SUBJECT = "several processes"
_READERS = 3


def crowds(bench: Bench) -> Iterator[Attempt]:
    """Let processes meet, round after round."""
    for number in range(bench.sizes.crowds):
        with bench.place("same") as folder:
            yield _same_build(bench, folder, number)
        with bench.place("others") as folder:
            yield _other_builds(bench, folder, number)
        with bench.place("readers") as folder:
            yield _readers(bench, folder, number)
    if url := os.environ.get("NEURONEXPLAIN_TEST_POSTGRES"):
        yield from _lost_server(bench, Server(url))


def _started(bench: Bench, *commands: list[object]) -> list[Running]:
    return [bench.warm.start(words, before=save_often) for words in commands]


def _judged(row: str, case: str, endings: list[Ending]) -> Attempt:
    """The worst of several endings, or that all is right, or that one was refused."""
    for ending in endings:
        if bad := fault(ending):
            return Attempt(_SUBJECT, row, bad[0], case, bad[1])
    refused = any(ending.status for ending in endings)
    return Attempt(_SUBJECT, row, Outcome.REFUSED if refused else Outcome.RIGHT, case)


def _same_build(bench: Bench, folder: Path, number: int) -> Attempt:
    """The same build twice at once: one builds, the other is told so or finds it built."""
    words = bench.world.build(folder / "names.db")
    alone = _alone(bench, words, folder)
    endings = [running.ending() for running in _started(bench, words, words)]
    case = f"--only crowds --seed {bench.seed}: the same build twice, round {number}"
    attempt = _judged("the same build twice", case, endings)
    if attempt.detail or contents(folder) == alone:
        return attempt
    return replace(attempt, outcome=Outcome.OTHER, detail=f"{sorted(contents(folder))}")


def _other_builds(bench: Bench, folder: Path, number: int) -> Attempt:
    """Two builds into one database: both are there, in whichever order."""
    one, other = (
        bench.world.build(folder / "names.db", concepts) for concepts in (bench.world.squares, bench.world.broden)
    )
    in_order = [_alone(bench, first, folder, second) for first, second in ((one, other), (other, one))]
    endings = [running.ending() for running in _started(bench, one, other)]
    case = f"--only crowds --seed {bench.seed}: two builds, round {number}"
    attempt = _judged("two builds", case, endings)
    if attempt.detail or contents(folder) in in_order:
        return attempt
    return replace(attempt, outcome=Outcome.OTHER, detail=f"{sorted(contents(folder))}")


def _alone(bench: Bench, *steps: object) -> dict[str, str]:
    """What commands leave in a folder that run one after another; the folder is emptied."""
    folder = next(step for step in steps if not isinstance(step, list))
    for words in steps:
        if isinstance(words, list):
            ending = bench.warm.run(words, root=folder, before=save_often)
            if ending.status:
                raise RuntimeError(f"a build fails undisturbed: {ending.err}")
    after = contents(folder)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return after


def _readers(bench: Bench, folder: Path, number: int) -> Attempt:
    """Readers of one run while another is published: each says what it says alone."""
    database = folder / "names.db"
    shutil.copy(bench.world.database, database)
    listing: list[object] = ["units", "--json", "--db", database, "--run", 1]
    alone = bench.warm.run(listing, root=folder).out
    (writer,) = _started(bench, bench.world.build(database, bench.world.broden))
    endings = []
    while os.waitid(os.P_PID, writer.number, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        endings += [running.ending() for running in _started(bench, *[listing] * _READERS)]
    case = f"--only crowds --seed {bench.seed}: readers beside a writer, round {number}"
    attempt = _judged("readers beside a writer", case, [*endings, writer.ending()])
    if not attempt.detail and any(ending.out != alone for ending in endings):
        return replace(attempt, outcome=Outcome.OTHER, detail="a reader was told something else")
    return attempt


def _lost_server(bench: Bench, server: Server) -> Iterator[Attempt]:
    """PostgreSQL ends the connection of a build that publishes; the build, started again, ends the same."""
    with bench.place("server") as folder:
        words = [*bench.world.build(folder / "unused"), "--db", server.url, "--scratch", folder / "scratch"]
        server.empty()
        undisturbed = bench.warm.run(words, root=folder)
        if undisturbed.status:
            raise RuntimeError(f"a build into PostgreSQL fails undisturbed: {undisturbed.err}")
        alone = server.rows()
        for number in range(bench.sizes.crowds):
            dice = bench.dice("server", number)
            server.empty()
            ender = server.ending_a_writer(after=dice.randint(1, 12))
            ending = bench.warm.run(words, root=folder, before=save_often, beside=ender)
            case = f"--only crowds --seed {bench.seed}: PostgreSQL ends the connection, round {number}"
            attempt = _judged("PostgreSQL ends the connection of a build", case, [ending])
            if not attempt.detail and ending.status and server.rows():
                attempt = replace(attempt, outcome=Outcome.OTHER, detail="a run is half there")
            again = bench.warm.run(words, root=folder, before=save_often)
            if not attempt.detail and (again.status or server.rows() != alone):
                attempt = replace(attempt, outcome=Outcome.OTHER, detail=f"does not go on: {again.err[-300:]}")
            yield attempt
