"""Broden's own layout, see ``dissection.concepts.broden``: to be written at another size, or with fewer concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.broden import BrodenLayout
from dissection.concepts.views import Sized

if TYPE_CHECKING:
    from pathlib import Path


class Broden(Sized):
    """A folder in Broden's layout."""

    def __init__(self, src: Path, *, label_size: int) -> None:
        super().__init__(BrodenLayout(src), label_size)
