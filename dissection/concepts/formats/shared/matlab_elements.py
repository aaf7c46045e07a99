"""The elements of a MATLAB file (level 5), checked before scipy reads them.

scipy uses an element's type to index a table of pointers without checking it: a damaged or malicious file can end the
process (https://github.com/scipy/scipy/pull/25349). An element is a type, a length in bytes and that many bytes,
padded to eight; matrices hold elements, and a compressed element holds a matrix.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = 128
# types of elements
_NAMES, _SIZES, _FLAGS, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}
# classes of matrices; those of text and numbers are plain
_COMPLEX = 0x800
_CELL, _STRUCT, _PLAIN = 1, 2, {4, *range(6, 16)}
_DEEPEST = 32
_LARGEST = 1 << 28
"""The most bytes a file may have when unpacked: a mask of a large photograph has a hundredth of that."""


def check_elements(data: bytes) -> None:
    """Raise a ``ValueError`` or ``struct.error`` if a file is not made of matrices of text, numbers and matrices."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None:
        raise ValueError("no level 5 header")
    bytes_left = _LARGEST
    for kind, content in _elements(memoryview(data)[_HEADER:], order):
        if kind != _COMPRESSED:
            _check(kind, content, order, 0)
            continue
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(content, bytes_left)
        bytes_left -= len(unpacked)
        if bytes_left <= 0 or not unpacker.eof:
            raise ValueError("a compressed element is cut short or too large")
        for inner, part in _elements(memoryview(unpacked), order):
            _check(inner, part, order, 0)


def _check(kind: int, content: memoryview, order: str, depth: int) -> None:
    """Check a matrix: flags, sizes, name, and what its class needs; an empty one has nothing at all."""
    if kind != _MATRIX or depth == _DEEPEST:
        raise ValueError(f"an element of type {kind} was found, {depth} deep")
    if not len(content):
        return
    (flags, kind_of), (sizes, size), (name, _), *rest = _at_least(3, list(_elements(content, order)))
    if (flags, sizes, name) != (_FLAGS, _SIZES, _NAMES) or len(kind_of) != 8 or not len(size) or len(size) % 4:
        raise ValueError("a matrix does not begin with flags, sizes and a name")
    numbers = struct.unpack(f"{order}{len(size) // 4}i", size)
    if min(numbers) < 0 or math.prod(numbers) > _LARGEST:
        raise ValueError(f"a matrix has sizes {numbers}")
    bits = struct.unpack_from(f"{order}I", kind_of)[0]
    category, parts = bits & 0xFF, 2 if bits & _COMPLEX else 1
    if category in {_CELL, _STRUCT}:
        count = math.prod(numbers)
        if category == _STRUCT:
            count *= _fields(rest[:2], order)
            rest = rest[2:]
        if len(rest) != count:
            raise ValueError(f"{len(rest)} matrices were found in one that has {count}")
        for inner, part in rest:
            _check(inner, part, order, depth + 1)
    elif category not in _PLAIN or len(rest) != parts or not {inner for inner, _ in rest} <= _NUMBERS:
        raise ValueError(f"a matrix of class {category} does not hold numbers")


def _fields(elements: list[tuple[int, memoryview]], order: str) -> int:
    """The number of a structure's fields, from the length of a name and all names, each of that length."""
    (first, length), (second, names) = _at_least(2, elements)
    width = struct.unpack(f"{order}i", length)[0] if (first, len(length)) == (_SIZES, 4) else 0
    if second != _NAMES or width < 1 or len(names) % width:
        raise ValueError("a structure has no names of fields")
    return len(names) // width


def _at_least(count: int, elements: list[tuple[int, memoryview]]) -> list[tuple[int, memoryview]]:
    if len(elements) < count:
        raise ValueError("a matrix is cut short")
    return elements


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and content of consecutive elements."""
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from(f"{order}II", data, position)
        start = position + 8
        if kind >> 16:  # type and length in four bytes, content in four more
            kind, length, start = kind & 0xFFFF, kind >> 16, position + 4
        if length > (4 if start < position + 8 else len(data) - start):
            raise ValueError("an element is longer than its container")
        yield kind, data[start : start + length]
        end = start + length
        position = end if kind == _COMPRESSED else max(position + 8, -(-end // 8) * 8)
