"""Broden's own layout, for writing at another size or with fewer concepts; see :mod:`dissection.concepts.broden`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.wrappers import Sized

if TYPE_CHECKING:
    from pathlib import Path


class Broden(Sized):
    """A folder in Broden's layout."""

    def __init__(self, src: Path, *, label_size: int) -> None:
        super().__init__(BrodenLayout(src), label_size)
