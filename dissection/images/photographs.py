"""Reads photographs as 8-bit RGB, the way a person sees them, or refuses them in one line.

Thread-safe; files are closed, Pillow's warnings are suppressed, and a truncated file is never filled up with grey,
whatever ``ImageFile.LOAD_TRUNCATED_IMAGES`` says.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, FileIO
from os import SEEK_CUR
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.Image import DecompressionBombError, Transpose
from PIL.JpegImagePlugin import JpegImageFile

from dissection.errors import PhotographError

from .decoding import JPEG, plain_jpeg, plain_png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from types import TracebackType

    from jaxtyping import UInt8

PHOTOGRAPH_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Formats to try on a file; not Pillow's whole list, which would pass an EPS file to another program."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".jp2", ".avif")
"""Endings of the names of photographs, in lower case."""

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

_SCAN = 0xFFDA
_END = b"\xff\xd9"

_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


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


def photographs_in(folder: Path) -> list[Path]:
    """The files in a folder and its subfolders whose names end like a photograph's, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def open_photograph(path: str | PathLike[str] | Encoded) -> Image.Image:
    """The photograph in a file, upright, as 8-bit RGB without metadata.

    The EXIF orientation is applied. Transparent pixels are laid over white. 16-bit grey is scaled so that 65535 is
    white. White in 32-bit integers and floats is the least of 1 (floats), 255 (floats), 65535 and the image's maximum
    that no pixel exceeds.

    Raises:
        PhotographError: if the file is missing, empty, cut short, not an image, animated, or larger than Pillow's
            ``Image.MAX_IMAGE_PIXELS``.
    """
    path = path if isinstance(path, Encoded) else Path(path)
    pixels = plain_jpeg(_whole(path))
    if pixels is not None:
        return Image.fromarray(pixels)
    with _opened(path) as image:
        _decode(image)
        turn = _UPRIGHT.get(_orientation(image))
        colours = _rgb(image)
        upright = colours if turn is None else colours.transpose(turn)
    upright.info.clear()
    return upright


def photograph_size(path: str | PathLike[str] | Encoded) -> tuple[int, int]:
    """Width and height of the upright photograph, if possible without decoding it.

    Raises:
        PhotographError: as ``open_photograph``, for flaws that show without decoding.
    """
    with _opened(path if isinstance(path, Encoded) else Path(path)) as image:
        if image.format == "TIFF":  # Pillow turns these itself, when it decodes them
            _decode(image)
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def open_image(path: str | PathLike[str] | Encoded) -> Image.Image:
    """The single image in a file, decoded, with its stored pixels and mode: for label maps.

    Raises:
        PhotographError: as ``open_photograph``.
    """
    with _opened(path if isinstance(path, Encoded) else Path(path)) as image:
        _decode(image)
        return image.copy()


def plain_pixels(path: Path) -> UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w"] | None:
    """The pixels of a label map that is a plain PNG, in colours or grey; :func:`open_image` reads all others."""
    return plain_png(_whole(path))


def _whole(path: Path | Encoded) -> bytes:
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
def _opened(path: Path | Encoded) -> Iterator[ImageFile.ImageFile]:
    """An image of one frame, not yet decoded; every error inside becomes a PhotographError."""
    _look(path)
    try:
        with path.open("rb") as file, _STRICT:
            image = _recognised(file)
            _refuse(path, image)
            if image.format == "JPEG":
                _refuse_unfinished(path, file)
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
        raise PhotographError(
            f"{path}: the image is cut short or damaged ({_one_line(error)}); get the file again"
        ) from error


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
        raise PhotographError(f"{path}: the file cannot be examined ({_one_line(error)})") from None
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


def _decode(image: ImageFile.ImageFile) -> None:
    if image.format == "TIFF":  # decoding one reads its tags again, and warns
        with _quiet():
            image.load()
    else:
        image.load()


def _refuse_unfinished(path: Path | Encoded, file: BinaryIO) -> None:
    """Refuse a JPEG without an end marker: if its download stopped, zeros may fill it up to its full length."""
    file.seek(2)
    marker, length = struct.unpack(">HH", file.read(4))
    while 0xFFC0 <= marker < 0xFFFF and marker != _SCAN:
        file.seek(length - 2, SEEK_CUR)
        marker, length = struct.unpack(">HH", file.read(4))
    if marker == _SCAN and _END not in file.read():
        raise PhotographError(f"{path}: the image is cut short (no end of the JPEG was found); get the file again")


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


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds a NaN or an infinity")
    brightest = float(values.max())
    whites = (1, 255, 65535) if image.mode == "F" else (65535,)
    white = next((white for white in whites if brightest <= white), brightest)
    grey = np.rint(values.clip(0, white) * (255 / white)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


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
