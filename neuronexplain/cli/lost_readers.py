"""Standard output that nobody reads to the end, as behind ``| head``."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


@contextmanager
def outlasting_readers() -> Iterator[None]:
    """Go on though nobody reads on: for a command that prints while it works, and whose files are what it is run for.

    Other commands end with a `BrokenPipeError`, since the rest of their work would be for nobody.
    """
    output = _Outlasting()
    with redirect_stdout(cast("TextIO", output)):
        yield
        output.flush()


def drop_output() -> None:
    """Send what is still to be written to standard output nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Outlasting:
    """Standard output without what nobody reads."""

    def __init__(self) -> None:
        self._stream = sys.stdout

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as far as somebody reads."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            drop_output()
            return len(text)

    def flush(self) -> None:
        """Flush, as far as somebody reads."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            drop_output()
