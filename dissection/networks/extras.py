"""Packages that only some networks need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dissection.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs(network: str, extra: str) -> Iterator[None]:
    """Imports that may fail, because an extra is not installed.

    Raises:
        NetworkError: if they do; it says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise NetworkError(
            f"{network} needs a package that is not installed ({error}); pip install 'neuronexplain[{extra}]'"
        ) from error
