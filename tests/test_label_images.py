"""Label maps are what the file stores, at any depth, and damage in them is noticed."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pngs import START, chunk, flips, png

from dissection.concepts.label_maps import label_map, named_numbers, read_index_mask, read_label_map
from dissection.concepts.problems import BadFileError
from dissection.errors import NeuronExplainError, PhotographError
from dissection.images.image_files import Encoded
from dissection.images.label_images import open_image
from dissection.images.photographs import open_photograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def noise(largest: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(largest).integers(0, largest + 1, shape)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_of_any_depth_is_what_is_stored(tmp_path: Path, depth: int) -> None:
    values = noise(2**depth - 1, 5, 7)
    (tmp_path / "mask.png").write_bytes(png(values, depth))
    np.testing.assert_array_equal(read_index_mask(tmp_path / "mask.png"), values)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_places_of_a_palette_are_what_is_stored(tmp_path: Path, depth: int) -> None:
    values = noise(2**depth - 1, 5, 7)
    colours = noise(255, 3 * 2**depth).tolist()
    (tmp_path / "mask.png").write_bytes(png(values, depth, 3, colours))
    np.testing.assert_array_equal(read_index_mask(tmp_path / "mask.png"), values)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "I"])
def test_a_tiff_is_what_is_stored(tmp_path: Path, mode: str) -> None:
    values = noise(1 if mode == "1" else 200, 5, 7)
    image = Image.fromarray(values.astype(bool) if mode == "1" else values.astype(np.uint8)).convert("L")
    if mode == "P":
        image.putpalette(noise(255, 768).tolist())
    elif mode.startswith("I"):
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.int32))
    elif mode == "1":
        image = Image.fromarray(values.astype(bool))
    (tmp_path / "mask.png").write_bytes(saved(image, "TIFF"))
    np.testing.assert_array_equal(read_index_mask(tmp_path / "mask.png"), values)


GREY = Image.fromarray(noise(200, 8, 8).astype(np.uint8))
UNSURE: dict[str, tuple[bytes, str]] = {
    "16 bits a colour": (png(noise(60000, 4, 4, 3), 16, 2), "stored as RGB;16B"),
    "grey and alpha of 16 bits": (png(noise(60000, 4, 4, 2), 16, 4), "stored as LA;16B"),
    "JPEG": (saved(GREY, "JPEG"), "saved as JPEG"),
    "WebP": (saved(GREY, "WEBP"), "saved as WEBP"),
    "black on white": (saved(GREY.convert("1"), "PPM"), "saved as PPM"),
    "TIFF, blurred": (saved(GREY, "TIFF", compression="jpeg"), "TIFF with jpeg"),
    "TIFF, white on black": (saved(GREY, "TIFF", tiffinfo={262: 0}), "stored as L;I"),
}


@pytest.mark.parametrize(("data", "words"), UNSURE.values(), ids=UNSURE)
def test_what_does_not_keep_its_numbers_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PhotographError, match=words) as caught:
        open_image(Encoded("mask", data))
    assert "\n" not in str(caught.value)


def test_a_label_map_that_asks_to_be_turned_is_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with pytest.raises(PhotographError, match="turn this label map"):
        open_image(Encoded("mask", saved(GREY, "PNG", exif=exif)))


def test_one_changed_bit_is_noticed_in_every_kind_of_label_map(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    file.write_bytes(label_map(noise(500, 6, 6).astype(np.int32)))
    broden = file.read_bytes()
    index = saved(GREY.convert("P"), "PNG")
    small = png(noise(3, 6, 6), 2)
    any_number = named_numbers(())
    readers: list[tuple[bytes, Callable[[Path], object]]] = [
        (broden, lambda file: read_label_map(file, any_number)),
        (index, read_index_mask),
        (small, read_index_mask),
    ]
    for data, read in readers:
        file.write_bytes(data)
        read(file)
        for changed in flips(data):
            file.write_bytes(changed)
            with pytest.raises(BadFileError):
                read(file)


def test_one_changed_bit_is_noticed_in_a_photograph() -> None:
    data = saved(Image.fromarray(noise(255, 6, 6, 3).astype(np.uint8)), "PNG")
    for changed in flips(data):
        with pytest.raises(NeuronExplainError):
            open_photograph(Encoded("photograph", changed))


def test_a_png_without_an_end_or_with_a_lie_about_a_length() -> None:
    whole = saved(GREY, "PNG")
    for data in (whole[:-12], whole[:-4], whole[:-12] + b"\xff\xff\xff\xffnote"):
        with pytest.raises(PhotographError, match="cut short or damaged"):
            open_image(Encoded("mask", data))
    assert open_image(Encoded("mask", whole + b"and so on")).size == GREY.size


def test_a_png_in_many_pieces_with_notes_is_whole() -> None:
    pixels = zlib.compress(b"".join(b"\0" + bytes(range(8)) for _ in range(4)))
    parts = [chunk(b"IDAT", pixels[start : start + 3]) for start in range(0, len(pixels), 3)]
    header = b"\0\0\0\x08\0\0\0\x04\x08\0\0\0\0"
    data = START + chunk(b"IHDR", header) + chunk(b"tEXt", b"a\0b") + b"".join(parts) + chunk(b"IEND", b"")
    assert np.asarray(open_image(Encoded("mask", data))).tolist() == [list(range(8))] * 4


def jpeg(**options: Any) -> bytes:
    photograph = Image.fromarray(noise(255, 40, 40, 3).astype(np.uint8))
    return saved(photograph, "JPEG", **options)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": b"Exif\0\0"}], ids=["plain", "fine", "exif"])
def test_a_jpeg_that_was_cut_and_given_an_end_is_damaged(options: dict[str, Any]) -> None:
    whole = jpeg(**options)
    with pytest.raises(PhotographError, match="damaged"):
        open_photograph(Encoded("photograph", whole[: len(whole) // 2] + b"\xff\xd9"))
    assert open_photograph(Encoded("photograph", whole[:-2] + b"camera\xff\xd9")).size == (40, 40)


def test_four_inks_are_looked_at_too() -> None:
    whole = saved(Image.fromarray(noise(255, 40, 40, 4).astype(np.uint8), "CMYK"), "JPEG")
    assert open_photograph(Encoded("photograph", whole)).size == (40, 40)
    with pytest.raises(PhotographError, match="damaged"):
        open_photograph(Encoded("photograph", whole[: len(whole) // 2] + b"\xff\xd9"))
