"""What every attack is given: the world, a process that runs commands, seeded dice and the size of the job."""

from __future__ import annotations

import random
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from operations import operations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from commands import Warm
    from interposer import Strike
    from operations import Operation, Reference
    from world import World


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often each attack is tried.

    Attributes:
        build_kills: kills of builds.
        kills: kills of each other command.
        errors: calls that fail, for each command and kind of error; every call where there are no more of them.
        mutations: damaged copies of each kind of file.
        ranks: builds of several processes of which one is killed.
        signals: interruptions of each command, for each way; and commands in each poor place.
        crowds: rounds of several processes in one database.
    """

    build_kills: int
    kills: int
    errors: int
    mutations: int
    ranks: int
    signals: int
    crowds: int


SMOKE = Sizes(build_kills=2, kills=1, errors=1, mutations=1, ranks=0, signals=1, crowds=0)
SMALL = Sizes(build_kills=5, kills=1, errors=1, mutations=1, ranks=0, signals=1, crowds=1)
FULL = Sizes(build_kills=1000, kills=200, errors=1_000_000, mutations=300, ranks=20, signals=40, crowds=20)


@dataclass(frozen=True, slots=True)
class Bench:
    """What attacks have in common.

    Attributes:
        world: what is attacked.
        warm: runs commands.
        sizes: how often.
        seed: of everything that is drawn.
        work: folder for cases.
        commands: names of the commands that are attacked; empty for all.
        references: by command, what it leaves undisturbed, once that is known.
        calls: by command, strike and folder, how many calls it makes undisturbed, once that is known.
    """

    world: World
    warm: Warm
    sizes: Sizes
    seed: int
    work: Path
    commands: frozenset[str] = frozenset()
    references: dict[str, Reference] = field(default_factory=dict)
    calls: dict[tuple[str, Strike, Path | None], int] = field(default_factory=dict)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The commands that are attacked."""
        every = operations(self.world)
        return tuple(operation for operation in every if not self.commands or operation.name in self.commands)

    def dice(self, *name: object) -> random.Random:
        """Random numbers of one case: the same for the same seed and name, whatever was drawn before."""
        return random.Random(f"{self.seed} {' '.join(map(str, name))}")  # noqa: S311 -- not for secrets

    @contextmanager
    def place(self, name: str = "case") -> Iterator[Path]:
        """An empty folder, removed afterwards."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
