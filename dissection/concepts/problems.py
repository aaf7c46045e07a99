"""Problems with a concept dataset's files, and the two ways to handle them: stop, or note them and continue.

Code that reads a dataset hands a ``BadFileError`` to a ``ProblemReport`` and leaves the bad part out. Readers report to
``stop``, the linter to a list. So there is one reader, and the linter finds what a reader would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dissection.errors import ConceptDataError
from dissection.files.paths import readable

if TYPE_CHECKING:
    from pathlib import Path

Severity = Literal["error", "warning"]
"""A warning is odd, but answers can still be right; an error is what a reader refuses."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a dataset; ``file`` is relative to the dataset's folder."""

    file: str
    what: str
    severity: Severity = "error"


class BadFileError(ConceptDataError):
    """A file of a concept dataset that is not what its layout promises."""

    def __init__(self, file: Path, what: str, severity: Severity = "error") -> None:
        super().__init__(readable(f"{file}: {what}"))
        self.file = file
        self.what = what
        self.severity: Severity = severity

    def problem(self, root: Path) -> Problem:
        """The same problem as a value, for a list."""
        file = self.file.relative_to(root) if self.file.is_relative_to(root) else self.file
        return Problem(readable(file.as_posix()), readable(self.what), self.severity)


ProblemReport = Callable[[BadFileError], None]
"""Called with every problem; if it returns, reading continues without the bad part."""

Counter = Callable[[int, int], None]
"""Called with the number of images done and the number of all images."""


def stop(error: BadFileError) -> None:
    """The report of readers: raises errors, ignores warnings."""
    if error.severity == "error":
        raise error
