"""Photographs that a browser sends: bounded in bytes and pixels, and one sentence about what is wrong with others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from threading import Lock
from typing import TYPE_CHECKING, Final

from dissection.errors import PhotographError
from dissection.images.image_files import Encoded
from dissection.images.photographs import open_photograph, photograph_size
from dissection.plain_text import visible

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS: Final = 40_000_000
"""A phone's photograph has 12 to 24 millions, and some 50 ask for more than they show."""

_LONGEST_NAME: Final = 80
_one_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class Upload:
    """A photograph as it was sent, which can be decoded; ``name`` is what it is called, and never a path."""

    name: str
    data: bytes

    @classmethod
    def checked(cls, filename: str | None, data: bytes) -> Upload:
        """A photograph that was sent under a file name.

        Raises:
            PhotographError: if it is none, or too large.
        """
        upload = cls(_plain_name(filename), data)
        with _one_at_a_time:  # a decoded photograph takes up to 120 MB
            upload.photograph()
        return upload

    def photograph(self) -> Image.Image:
        """The photograph, upright, as 8-bit RGB.

        Raises:
            PhotographError: if it is none, or too large.
        """
        encoded = Encoded(self.name, self.data)
        width, height = photograph_size(encoded)
        if width * height > MOST_PIXELS:
            raise PhotographError(
                f"{self.name}: {width} x {height} pixels, and at most {MOST_PIXELS // 1_000_000} million are taken; "
                "scale it down"
            )
        return open_photograph(encoded)


def _plain_name(filename: str | None) -> str:
    name = PureWindowsPath(PurePosixPath(filename or "").name).name.strip()
    return visible(name)[-_LONGEST_NAME:] or "photograph"
