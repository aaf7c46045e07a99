"""Images decoded without Pillow have Pillow's pixels, and anything unusual or wrong is left to Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from scipy.ndimage import gaussian_filter

from dissection.images.decoding import plain_jpeg, plain_png
from dissection.images.label_images import open_image, plain_pixels
from dissection.images.photographs import open_photograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMOOTH = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (47, 61, 3)), (2, 2, 0))
PICTURE = Image.fromarray(((SMOOTH - SMOOTH.min()) * (255 / np.ptp(SMOOTH))).astype(np.uint8))
LABELS = Image.fromarray(np.random.default_rng(1).integers(0, 3, (31, 18, 3), dtype=np.uint8))
GREY = LABELS.getchannel(0)
HEADER = 8 + 25


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_pillow(data: bytes, mode: str | None = None) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    return np.asarray(image if mode is None else image.convert(mode))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


JPEGS = {
    "plain": encoded(PICTURE, "JPEG"),
    "all colours": encoded(PICTURE, "JPEG", quality=95, subsampling=0),
    "half the colours": encoded(PICTURE, "JPEG", subsampling=1),
    "progressive": encoded(PICTURE, "JPEG", progressive=True),
    "grey": encoded(PICTURE.convert("L"), "JPEG"),
    "one pixel": encoded(PICTURE.resize((1, 1)), "JPEG"),
    "something behind it": encoded(PICTURE, "JPEG") + b"and so on",
}
PNGS = {
    "colours": encoded(LABELS, "PNG"),
    "grey": encoded(GREY, "PNG"),
    "many pieces": encoded(PICTURE.resize((400, 400)), "PNG", compress_level=0),
    "something behind it": encoded(LABELS, "PNG") + b"and so on",
}

XMP = b'http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation="6"/>'
TURNED = b"\xff\xe1" + struct.pack(">H", 2 + len(XMP)) + XMP


@pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_has_the_pixels_of_pillow(data: bytes) -> None:
    np.testing.assert_array_equal(plain_jpeg(data), with_pillow(data, "RGB"))


@pytest.mark.parametrize("data", PNGS.values(), ids=PNGS)
def test_a_png_has_the_pixels_of_pillow(data: bytes) -> None:
    np.testing.assert_array_equal(plain_png(data), with_pillow(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        encoded(PICTURE, "PNG"),
        encoded(PICTURE, "JPEG", exif=exif(6)),
        encoded(PICTURE, "JPEG")[:2] + TURNED + encoded(PICTURE, "JPEG")[2:],
        encoded(PICTURE.convert("CMYK"), "JPEG"),
        encoded(PICTURE, "JPEG")[:-2],
        encoded(PICTURE, "JPEG")[:700],
        encoded(PICTURE, "JPEG")[:700] + bytes(3000),
    ],
    ids=[
        "nothing",
        "a beginning",
        "a PNG",
        "turned",
        "turned by XMP",
        "four inks",
        "no end",
        "half",
        "half, then zeros",
    ],
)
def test_a_jpeg_that_is_left_to_pillow(data: bytes) -> None:
    assert plain_jpeg(data) is None


def unusual_pngs() -> dict[str, bytes]:
    plain = encoded(LABELS, "PNG")
    note = PngInfo()
    note.add_text("Comment", "a note")
    return {
        "nothing": b"",
        "a beginning": plain[:8],
        "a header": plain[:HEADER],
        "a JPEG": encoded(LABELS, "JPEG"),
        "palette": encoded(LABELS.quantize(4), "PNG"),
        "one bit": encoded(GREY.convert("1"), "PNG"),
        "16 bits": encoded(GREY.convert("I;16"), "PNG"),
        "transparent": encoded(LABELS.convert("RGBA"), "PNG"),
        "a transparent colour": encoded(LABELS, "PNG", transparency=(0, 0, 0)),
        "a note": encoded(LABELS, "PNG", pnginfo=note),
        "frames": encoded(LABELS, "PNG", save_all=True, append_images=[LABELS.rotate(180)]),
        "no end": plain[:-12],
        "half": plain[: len(plain) // 2],
        "no pixels": plain[:HEADER] + chunk(b"IEND", b""),
        "no header": plain[:8] + plain[HEADER:],
        "a short header": plain[:8] + chunk(b"IHDR", b"") + plain[HEADER:],
        "no checksum": plain[:HEADER] + plain[HEADER:-16] + bytes(4) + plain[-12:],
        "too few pixels": plain[:HEADER] + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b""),
        "no stream": plain[:HEADER] + chunk(b"IDAT", b"pixels") + chunk(b"IEND", b""),
    }


@pytest.mark.parametrize("data", unusual_pngs().values(), ids=unusual_pngs())
def test_a_png_that_is_left_to_pillow(data: bytes) -> None:
    assert plain_png(data) is None


@pytest.mark.parametrize(("decode", "data"), [(plain_jpeg, JPEGS["plain"]), (plain_png, PNGS["colours"])])
def test_what_is_too_large_for_pillow(
    decode: Callable[[bytes], np.ndarray | None], data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = with_pillow(data)[..., 0].size
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", area)
    assert decode(data) is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", area - 1)
    assert decode(data) is None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(data) is not None


def test_a_header_of_many_gigabytes_is_not_believed() -> None:
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    assert plain_png(PNGS["colours"][:8] + huge + PNGS["colours"][HEADER:]) is None


CHANGES = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=3)


def changed(data: bytes, changes: list[tuple[int, int]], start: int = 0) -> bytes:
    array = bytearray(data)
    for place, value in changes:
        array[start + place % (len(array) - start)] = value
    return bytes(array)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(JPEGS.values())), CHANGES)
def test_a_damaged_jpeg_is_as_pillow_has_it_or_left_to_pillow(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = changed(data, changes)
    found = plain_jpeg(damaged)
    if found is not None:
        np.testing.assert_array_equal(found, with_pillow(damaged, "RGB"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["colours", "grey"]), CHANGES)
def test_damaged_pixels_under_a_right_checksum_are_as_pillow_has_them_where_it_reads_them(
    kind: str, changes: list[tuple[int, int]]
) -> None:
    data = PNGS[kind]
    (length,) = struct.unpack_from(">I", data, HEADER)
    pixels = changed(data[HEADER + 8 : HEADER + 8 + length], changes)
    damaged = data[:HEADER] + chunk(b"IDAT", pixels) + data[HEADER + 12 + length :]
    found = plain_png(damaged)
    if found is not None:
        assert found.shape == with_pillow(data).shape
        with suppress(OSError):  # Pillow also minds the stream's own sum
            np.testing.assert_array_equal(found, with_pillow(damaged))


def test_files_are_read_by_either_way_alike(tmp_path: Path) -> None:
    for name, data in JPEGS.items():
        file = tmp_path / f"{name}.jpg"
        file.write_bytes(data)
        np.testing.assert_array_equal(open_photograph(file), with_pillow(data, "RGB"))
    for name, data in PNGS.items():
        file = tmp_path / f"{name}.png"
        file.write_bytes(data)
        np.testing.assert_array_equal(plain_pixels(file), open_image(file))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_photograph_with_metadata_has_pillows_pixels_turned(orientation: int, mode: str, tmp_path: Path) -> None:
    data = encoded(PICTURE.convert(mode), "JPEG", exif=exif(orientation))
    (tmp_path / "a.jpg").write_bytes(data)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(open_photograph(tmp_path / "a.jpg"), upright)


def test_a_photograph_that_xmp_turns_is_turned(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(PICTURE, "JPEG")[:2] + TURNED + encoded(PICTURE, "JPEG")[2:])
    assert open_photograph(tmp_path / "a.jpg").size == PICTURE.size[::-1]


def test_what_cannot_be_read_is_not_plain(tmp_path: Path) -> None:
    assert plain_pixels(tmp_path / "missing.png") is None
    assert plain_pixels(tmp_path) is None
    (tmp_path / "large.png").write_bytes(PNGS["colours"])
    with (tmp_path / "large.png").open("r+b") as file:
        file.truncate(2**40)
    assert plain_pixels(tmp_path / "large.png") is None
