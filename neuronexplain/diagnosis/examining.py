"""Everything that a report of a bug needs, in one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .machine import Machine, machine, machine_problems
from .software import Software, software, software_problems

if TYPE_CHECKING:
    from dissection.execution.settings import Progress

    from .database import DatabaseFacts
    from .problems import Problem


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is installed, on which machine, what a database holds, and what is wrong.

    Attributes:
        software: what is installed.
        machine: the machine.
        database: what the database holds; ``None`` if none was named, or it cannot be read.
        unreadable: why it cannot be read; empty if it can.
        problems: what is wrong.
    """

    software: Software
    machine: Machine
    database: DatabaseFacts | None
    unreadable: str
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return asdict(self)


def diagnose(where: str | None, progress: Progress) -> Diagnosis:
    """Look at the installation, and at a database if one is named by its path or URL.

    What does not work is told in the value: nothing is raised for it.
    """
    installed = software()
    problems = [*software_problems(installed)]
    held, unreadable = None, ""
    if not problems:  # otherwise what follows may fail to import
        problems += machine_problems()
    if where is not None:
        held, unreadable, of_database = _database(where, installed, progress)
        problems += of_database
    return Diagnosis(installed, machine(), held, unreadable, tuple(problems))


def _database(where: str, installed: Software, progress: Progress) -> tuple[DatabaseFacts | None, str, list[Problem]]:
    """What a database holds, why it cannot be read, and what is wrong with it."""
    try:
        from db.errors import StoreError  # noqa: PLC0415 -- a package that is missing is told, and the rest with it

        from .database import examine  # noqa: PLC0415
    except ImportError as error:
        return None, f"databases cannot be read without the package {error.name}: install it", []
    try:
        held, problems = examine(where, installed.extras, progress)
    except StoreError as error:
        return None, str(error), []
    return held, "", problems
