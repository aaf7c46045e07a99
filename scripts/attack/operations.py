"""The commands that write, and what a folder holds after them."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from world import World

Words = list[object]

DATED = frozenset({"created", "dissection_checksum", "checksum"})
"""Columns that are other whenever the same run is built; the date is in the checksums."""

IDENTITY = frozenset({"digest", "key_network", "key_concepts"})
"""Columns that are other if any byte is that was read, even one that says nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that writes.

    Attributes:
        name: its name.
        words: the command, given the folder that it writes into.
        whole: files and folders in it that are there whole or not at all, at any moment.
        prepare: fills the folder before.
    """

    name: str
    words: Callable[[Path], Words]
    whole: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda _: None


def operations(world: World) -> tuple[Operation, ...]:
    """All of them."""
    base = world.folder
    small = ["--size", 32, "--label-size", 16, "--min-images", 2]
    drawn = ["--data", world.squares, "--classes", base / "classes.txt"]

    def second_database(folder: Path) -> None:
        shutil.copy(world.database, folder / "names.db")

    return (
        Operation("build", lambda folder: world.build(folder / "names.db"), ("names.db",)),
        Operation(
            "build into a database",
            lambda folder: world.build(folder / "names.db", world.broden),
            ("names.db",),
            second_database,
        ),
        Operation(
            "convert", lambda folder: ["concepts", "convert", world.squares, folder / "broden", *small], ("broden",)
        ),
        Operation(
            "join",
            lambda folder: ["concepts", "join", world.squares, world.broden, folder / "joined", *small],
            ("joined",),
        ),
        Operation(
            "export a file", lambda folder: ["export", folder / "names.json", "--db", world.database], ("names.json",)
        ),
        Operation(
            "export a folder", lambda folder: ["export", folder / "exported", "--db", world.database], ("exported",)
        ),
        Operation("import", lambda folder: ["import", base / "names.json", "--db", folder / "names.db"], ("names.db",)),
        Operation(
            "evaluate", lambda folder: ["evaluate", "pointing", *world.network, *drawn, "--out", folder / "out"], ()
        ),
        Operation("explain", lambda folder: world.explain(world.database, folder / "out"), ()),
        Operation(
            "weights convert",
            lambda folder: ["weights", "convert", base / "whole.pt", folder / "weights.safetensors"],
            ("weights.safetensors",),
        ),
        Operation(
            "fetch",
            lambda folder: ["concepts", "fetch", "broden1_224", folder / "data", "--file", base / "dtd.zip"],
            ("data",),
        ),
        Operation("show", lambda folder: ["concepts", "show", world.broden, "--out", folder / "shown"], ()),
    )


def contents(folder: Path, *, without: AbstractSet[str] = DATED) -> dict[str, str]:
    """By path, a fingerprint of each file and the name of each empty folder; of a database, of its other columns."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            entries[name] = "a link"
        elif path.is_dir():
            if not any(path.iterdir()):
                entries[name] = "an empty folder"
        else:
            entries[name] = _fingerprint(path, without)
    return entries


def _fingerprint(file: Path, without: AbstractSet[str]) -> str:
    content = file.read_bytes()
    if content.startswith(b"SQLite format 3\0"):
        with suppress(sqlite3.DatabaseError):  # of a damaged one its bytes count
            content = "\n".join(_rows(file, without)).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def has_runs(file: Path) -> bool:
    """Whether a database holds anything that was published."""
    with _reading(file) as connection:
        return bool(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a database: what a killed writer left in the journal is rolled back there, and stays here."""
    with TemporaryDirectory(prefix="attack-") as folder:
        for part in (file, file.with_name(f"{file.name}-journal")):
            if part.exists():
                shutil.copy(part, folder)
        with closing(sqlite3.connect(Path(folder) / file.name)) as connection:
            yield connection


def _rows(file: Path, without: AbstractSet[str]) -> list[str]:
    with _reading(file) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = []
        for table in sorted(tables):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            quoted = ", ".join(f'"{column}"' for column in columns if column not in without)
            rows += sorted(f"{table} {row}" for row in connection.execute(f"SELECT {quoted} FROM {table}"))  # noqa: S608
        return rows


@dataclass(frozen=True, slots=True)
class Reference:
    """What an undisturbed command leaves."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    def half_written(self, operation: Operation, folder: Path) -> str:
        """What a disturbed command left that is neither as before nor as after; empty if nothing."""
        now = contents(folder)
        for name in operation.whole:
            kept = _of(now, name)
            if kept in ({}, _of(self.before, name), _of(self.after, name)):
                continue
            if name.endswith(".db") and not has_runs(folder / name):
                continue
            return f"{name} is half written: {sorted(set(kept.items()) ^ set(_of(self.after, name).items()))[:4]}"
        return ""

    def left_over(self, folder: Path) -> list[str]:
        """Files that an undisturbed command does not leave."""
        return sorted(set(contents(folder)) - set(self.after))

    def differs(self, folder: Path) -> list[str]:
        """Files of an undisturbed command that are missing or other."""
        now = contents(folder)
        return sorted(name for name, value in self.after.items() if now.get(name) != value)


def _of(now: Mapping[str, str], name: str) -> dict[str, str]:
    return {path: value for path, value in now.items() if path == name or path.startswith(f"{name}/")}
