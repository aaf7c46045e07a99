"""Opens image files with Pillow: one image each, whole and undamaged, or a refusal in one line.

Thread-safe; files are closed, Pillow's warnings are suppressed, and a truncated file is never filled up with grey,
whatever ``ImageFile.LOAD_TRUNCATED_IMAGES`` says. Damage that Pillow passes over is looked for too.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, FileIO
from stat import S_ISREG
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.Image import DecompressionBombError, Transpose
from PIL.JpegImagePlugin import JpegImageFile

from dissection.errors import PhotographError

from .decoding import JPEG
from .flaws import jpeg_flaw, lacks_jpeg_end, png_flaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

PHOTOGRAPH_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Formats to try on a file; not Pillow's whole list, which would pass an EPS file to another program."""

# What Pillow's decoders are known to raise on damaged files.
_DAMAGE = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)

_AT_ONCE = 64 * 2**20
"""Largest file that is read in one go, in bytes."""

_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

SIDEWAYS = (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
"""Turns that swap width and height."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of an image file inside something else, such as a table; ``name`` is what errors call them."""

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name

    def open(self, mode: str) -> BinaryIO:  # noqa: ARG002 (as a path's)
        """The bytes as a file."""
        return BytesIO(self.data)


def whole_file(path: Path | Encoded) -> bytes:
    """The content of a file; empty if it cannot be read in one go.

    It makes as few calls as possible, since each releases Python's lock and waits for it.
    """
    if isinstance(path, Encoded):
        return path.data
    try:
        status = path.stat()
        if S_ISREG(status.st_mode) and status.st_size <= _AT_ONCE:
            with FileIO(path) as file:
                return file.read(status.st_size)
    except (OSError, ValueError):
        pass
    return b""


@contextmanager
def opened_image(path: Path | Encoded) -> Iterator[ImageFile.ImageFile]:
    """An image of one frame, not yet decoded; every error inside becomes a PhotographError.

    Raises:
        PhotographError: if the file is missing, empty, cut short, not an image, animated, or larger than Pillow's
            ``Image.MAX_IMAGE_PIXELS``.
    """
    _look(path)
    try:
        with path.open("rb") as file, _STRICT:
            image = _recognised(file)
            _refuse(path, image)
            if image.format == "JPEG" and lacks_jpeg_end(file):
                raise _damaged(path, "no end of the JPEG was found")
            yield image
    except UnidentifiedImageError:
        raise PhotographError(
            f"{path}: this is not an image that can be read; save it as one of {', '.join(PHOTOGRAPH_FORMATS)}"
        ) from None
    except DecompressionBombError as error:
        raise _too_large(path, str(error)) from None
    except MemoryError:
        raise _too_large(path, "there is not enough memory for it") from None
    except PermissionError:
        raise PhotographError(f"{path}: there is no permission to read the file; change its permissions") from None
    except _DAMAGE as error:
        raise _damaged(path, _one_line(error)) from error


def decode(path: Path | Encoded, image: ImageFile.ImageFile) -> None:
    """Read the pixels of an opened image, which are as they were written as far as the file can tell.

    Raises:
        PhotographError: if a checksum or libjpeg says that they are damaged.
    """
    flaw = _FLAWS.get(image.format or "")
    if flaw and (reason := flaw(image.fp)):
        raise _damaged(path, reason)
    if image.format == "TIFF":  # decoding one reads its tags again, and warns
        with _quiet():
            image.load()
    else:
        image.load()


def decode_in_memory(name: str, image: Image.Image) -> None:
    """Read the pixels of a picture that Pillow has opened elsewhere.

    Raises:
        PhotographError: if it is empty, cut short or damaged; the message calls it ``name``.
    """
    try:
        with _STRICT:
            image.load()
    except _DAMAGE as error:
        raise _damaged(name, _one_line(error)) from error
    if 0 in image.size:
        raise PhotographError(f"{name}: the image is empty ({image.width} x {image.height} pixels); give another one")


_FLAWS: dict[str, Callable[[Any], str]] = {"PNG": png_flaw, "JPEG": jpeg_flaw}
"""What to look for that Pillow passes over, by format."""


def turn_of(image: Image.Image) -> Transpose | None:
    """The turn that makes an image upright, as its EXIF orientation says; ``None`` if it is, or says nothing."""
    return _UPRIGHT.get(_orientation(image))


def _damaged(path: Path | Encoded | str, reason: str) -> PhotographError:
    return PhotographError(f"{path}: the image is cut short or damaged ({reason}); get the file again")


def _look(path: Path | Encoded) -> None:
    if isinstance(path, Encoded):
        if not path.data:
            raise PhotographError(f"{path}: the image is empty (0 bytes); get it again")
        return
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise PhotographError(f"{path}: there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise PhotographError(f"{path}: the file cannot be examined ({_one_line(error)}); check the path") from None
    if not S_ISREG(status.st_mode):
        raise PhotographError(f"{path}: this is not a file, and an image file is needed; name one")
    if status.st_size == 0:
        raise PhotographError(f"{path}: the file is empty (0 bytes); get it again")


def _recognised(file: BinaryIO) -> ImageFile.ImageFile:
    """The image in a file. A JPEG is opened as one directly: Pillow would check whether it is an MPO, and warn.

    Phones and stereo cameras write MPOs: a JPEG of the photograph, then one of depth, light or the other eye.
    """
    start = file.read(len(JPEG))
    file.seek(0)
    if start == JPEG:
        return JpegImageFile(file)
    with _quiet():
        return Image.open(file, formats=_formats())


def _refuse(path: Path | Encoded, image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise PhotographError(f"{path}: {frames} frames were found, and one is needed; save one as a separate file")
    width, height = image.size
    if width < 1 or height < 1:
        raise PhotographError(f"{path}: the image is empty ({width} x {height} pixels); get the file again")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise _too_large(path, f"{width} x {height} pixels, and the limit is {limit}")


def _too_large(path: Path | Encoded, why: str) -> PhotographError:
    return PhotographError(f"{path}: the image is too large ({why}); scale it down")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _formats() -> list[str]:
    Image.init()
    return [name for name in PHOTOGRAPH_FORMATS if name in Image.OPEN]


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, or 1 (upright) if none can be read."""
    if image.format == "TIFF":
        return 1
    try:
        with _quiet():
            orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGE:
        return 1
    return orientation if orientation in _UPRIGHT else 1


_warnings = Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings about sizes and metadata; for short steps only, since ``catch_warnings`` needs a lock."""
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Strict:
    """Makes Pillow refuse truncated files while any thread is inside, even if the user's code allows them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._allowed = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._allowed = ImageFile.LOAD_TRUNCATED_IMAGES
                ImageFile.LOAD_TRUNCATED_IMAGES = False
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                ImageFile.LOAD_TRUNCATED_IMAGES = self._allowed


_STRICT = _Strict()
