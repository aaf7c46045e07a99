"""Photographs of every kind that people have, and every way in which one can be bad."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from dissection.errors import PhotographError
from dissection.images.image_files import Encoded
from dissection.images.label_images import open_image
from dissection.images.photographs import open_photograph, photograph_size

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION = 0x0112
RGB = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image, kind: str = "PNG", **options: Any) -> Path:
    image.save(path, kind, **options)
    return path


def encoded(kind: str, **options: Any) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, kind, **options)
    return stream.getvalue()


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    photograph = open_photograph(path)
    assert photograph.mode == "RGB"
    return np.asarray(photograph)


def refusal(path: Path) -> str:
    with pytest.raises(PhotographError) as caught:
        open_photograph(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(save(tmp_path / "a.png", Image.fromarray(RGB))), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda a: np.rot90(a, 1)),
        (77, lambda a: a),
    ],
)
def test_orientation(tmp_path: Path, kind: str, orientation: int, turned: Any) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(
        tmp_path / "turned", Image.fromarray(RGB), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})
    )
    stored = np.asarray(Image.open(save(tmp_path / "plain", Image.fromarray(RGB), kind))) if kind == "JPEG" else RGB
    upright = pixels(path)
    np.testing.assert_array_equal(upright, turned(stored))
    assert photograph_size(path) == (upright.shape[1], upright.shape[0])
    assert not open_photograph(path).getexif()


def test_damaged_exif_does_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(RGB), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff garbage")
    np.testing.assert_array_equal(pixels(path), RGB)


def test_cmyk(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert pixels(save(tmp_path / "a.jpg", cyan, "JPEG"))[4, 4].tolist() == pytest.approx([0, 255, 255], abs=3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_over_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (3, 1), (0,) * (len(mode) - 1) + (255,))
    image.putalpha(Image.fromarray(np.array([[0, 128, 255]], np.uint8)))
    assert pixels(save(tmp_path / "a.png", image))[0].tolist() == [[255] * 3, [127] * 3, [0] * 3]


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert pixels(save(tmp_path / "a.png", image))[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    path = save(tmp_path / "b.png", image, transparency=b"\x00\xff")
    assert pixels(path)[0].tolist() == [[255, 255, 255], [40, 50, 60]]
    assert open_image(path).mode == "P"


def test_grey_of_1_8_16_and_32_bits(tmp_path: Path) -> None:
    def grey(array: Any, kind: str = "PNG") -> list[int]:
        return pixels(save(tmp_path / "grey", Image.fromarray(array), kind))[0, :, 0].tolist()

    assert grey(np.array([[False, True]])) == [0, 255]
    assert grey(np.array([[0, 100, 255]], np.uint8)) == [0, 100, 255]
    assert grey(np.array([[0, 257 * 100, 65535]], np.uint16)) == [0, 100, 255]
    assert grey(np.array([[0, 257 * 100, 65535]], np.uint16), "TIFF") == [0, 100, 255]
    assert grey(np.array([[-5, 257 * 100, 65535]], np.int32), "TIFF") == [0, 100, 255]
    assert grey(np.array([[0, 5_000_000, 10_000_000]], np.int32), "TIFF") == [0, 128, 255]
    assert grey(np.array([[0, 0.4, 1]], np.float32), "TIFF") == [0, 102, 255]
    assert grey(np.array([[0, 51, 255]], np.float32), "TIFF") == [0, 51, 255]


def test_floats_that_are_none(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, np.nan]], np.float32))
    assert "NaN" in refusal(save(tmp_path / "a.tif", image, "TIFF"))


def test_missing_folder_empty_and_no_image(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.jpg")
    assert "image file is needed" in refusal(tmp_path)
    (tmp_path / "empty.jpg").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not an image")
    assert "not an image" in refusal(tmp_path / "text.jpg")
    (tmp_path / "a.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    assert "not an image" in refusal(tmp_path / "a.jpg"), "an EPS file must not reach Ghostscript"


@pytest.mark.parametrize(
    "options", [{"kind": "JPEG"}, {"kind": "JPEG", "progressive": True}, {"kind": "PNG"}, {"kind": "WEBP"}]
)
@pytest.mark.parametrize("lenient", [False, True])
def test_cut_short_is_refused_and_never_grey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], lenient: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    whole = encoded(**options)
    path = tmp_path / "a"
    for length in range(1, len(whole) - 20, len(whole) // 40):
        path.write_bytes(whole[:length])
        refusal(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


def test_a_jpeg_filled_up_with_zeros_is_cut_short(tmp_path: Path) -> None:
    whole = encoded("JPEG")
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    assert "cut short" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_are_refused_with_their_frames(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    path = save(tmp_path / "a", frames[0], kind, save_all=True, append_images=frames[1:])
    assert "3 frames" in refusal(path)


def test_a_broken_announcement_of_frames_is_passed_over_in_silence(tmp_path, recwarn):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    frames = b"acTL" + bytes(8)
    chunk = struct.pack(">I", 8) + frames + struct.pack(">I", zlib.crc32(frames))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    assert open_photograph(tmp_path / "a.png").getpixel((0, 0)) == (255, 0, 0)
    assert not recwarn.list


def test_what_phones_write_is_one_photograph(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    path = save(tmp_path / "a.jpg", red, "MPO", save_all=True, append_images=[blue])
    assert pixels(path)[4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)


def header_of_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 40_000], ids=["Pillow warns", "Pillow raises"])
def test_decompression_bomb(tmp_path: Path, side: int) -> None:
    (tmp_path / "a.png").write_bytes(header_of_png(side, side))
    assert "too large" in refusal(tmp_path / "a.png")


def test_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(header_of_png(0, 4))
    refusal(tmp_path / "a.png")


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damage_is_a_refusal_or_a_picture(tmp_path_factory: pytest.TempPathFactory, kind: str, changes: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    data = bytearray(encoded(kind))
    for place, value in changes:
        data[place] = value
    path.write_bytes(data)
    try:
        photograph = open_photograph(path)
    except PhotographError as error:
        message = str(error)
    else:
        assert photograph.size == photograph_size(path)
        message = photograph.mode
    assert "\n" not in message


def test_threads(tmp_path: Path) -> None:
    whole = encoded("JPEG", exif=b"Exif\0\0 nonsense that Pillow warns of")
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(whole)
    bad.write_bytes(whole[: len(whole) // 2])
    expected = pixels(good)
    start = threading.Barrier(4)

    def work(_: int) -> None:
        start.wait()
        for _ in range(20):
            np.testing.assert_array_equal(pixels(good), expected)
            refusal(bad)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_bytes_are_read_as_a_file_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2, 4), "red").save(tmp_path / "x.jpg", exif=exif)
    encoded = Encoded("row 3", (tmp_path / "x.jpg").read_bytes())
    assert photograph_size(encoded) == photograph_size(tmp_path / "x.jpg") == (4, 2)
    assert open_photograph(encoded).tobytes() == open_photograph(tmp_path / "x.jpg").tobytes()
    Image.new("L", (2, 4), 7).save(tmp_path / "x.png")
    assert open_image(Encoded("row 3", (tmp_path / "x.png").read_bytes())).getpixel((0, 0)) == 7
    for data, words in ((b"", "row 3: the image is empty"), (b"no", "row 3: this is not an image")):
        with pytest.raises(PhotographError, match=words):
            open_photograph(Encoded("row 3", data))
