"""Ways to damage a file's bytes, each drawn from dice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_PAGE = 4096


def damaged(content: bytes, dice: Random, *, text: bool = False) -> tuple[str, bytes]:
    """The name of a damage, and the content with it: always other bytes than before.

    Args:
        content: what is damaged; not empty.
        dice: what is drawn from.
        text: whether lines and digits are damaged too.
    """
    ways = BYTES + TEXT if text else BYTES
    while True:
        way = dice.choice(ways)
        changed = way(content, dice)
        if changed != content:
            return way.__name__, changed


def bit(content: bytes, dice: Random) -> bytes:
    """One bit flipped."""
    place = dice.randrange(len(content))
    return _with(content, place, bytes([content[place] ^ 1 << dice.randrange(8)]))


def bits(content: bytes, dice: Random) -> bytes:
    """Eight bits flipped anywhere."""
    for _ in range(8):
        content = bit(content, dice)
    return content


def zeros(content: bytes, dice: Random) -> bytes:
    """A run of zeros, as a file has that a crash left without data."""
    place, size = _run(content, dice)
    return _with(content, place, bytes(size))


def noise(content: bytes, dice: Random) -> bytes:
    """A run of random bytes."""
    place, size = _run(content, dice)
    return _with(content, place, dice.randbytes(size))


def cut(content: bytes, dice: Random) -> bytes:
    """The end is missing."""
    return content[: dice.randrange(len(content))]


def emptied(content: bytes, _: Random) -> bytes:
    """Nothing is left."""
    return content[:0]


def shortened(content: bytes, dice: Random) -> bytes:
    """A run is missing."""
    place, size = _run(content, dice)
    return content[:place] + content[place + size :]


def repeated(content: bytes, dice: Random) -> bytes:
    """A run stands twice."""
    place, size = _run(content, dice)
    return content[: place + size] + content[place:]


def prolonged(content: bytes, dice: Random) -> bytes:
    """Something stands after the end."""
    return content + dice.randbytes(dice.randint(1, 64))


def swapped(content: bytes, dice: Random) -> bytes:
    """Two pages have changed places."""
    page = _PAGE if len(content) >= 2 * _PAGE else max(1, len(content) // 4)
    first, second = sorted(dice.sample(range(max(2, len(content) // page)), 2))
    one, two = (content[number * page : (number + 1) * page] for number in (first, second))
    between = content[(first + 1) * page : second * page]
    return content[: first * page] + two + between + one + content[(second + 1) * page :]


def digit(content: bytes, dice: Random) -> bytes:
    """One digit is another."""
    places = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    return _with(content, dice.choice(places), str(dice.randrange(10)).encode()) if places else content


def huge(content: bytes, dice: Random) -> bytes:
    """A digit is a number beyond all bounds."""
    places = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    if not places:
        return content
    place = dice.choice(places)
    return content[:place] + dice.choice((b"9" * 400, b"1e999", b"-1", b"nan")) + content[place + 1 :]


def line_missing(content: bytes, dice: Random) -> bytes:
    """One line is missing."""
    lines = content.splitlines(keepends=True)
    del lines[dice.randrange(len(lines))]
    return b"".join(lines)


def line_twice(content: bytes, dice: Random) -> bytes:
    """One line stands twice."""
    lines = content.splitlines(keepends=True)
    place = dice.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (
    bit,
    bits,
    zeros,
    noise,
    cut,
    emptied,
    shortened,
    repeated,
    prolonged,
    swapped,
)
TEXT: tuple[Callable[[bytes, Random], bytes], ...] = (digit, huge, line_missing, line_twice)


def _with(content: bytes, place: int, other: bytes) -> bytes:
    return content[:place] + other + content[place + len(other) :]


def _run(content: bytes, dice: Random) -> tuple[int, int]:
    place = dice.randrange(len(content))
    return place, dice.randint(1, min(len(content) - place, max(1, len(content) // 8)))
