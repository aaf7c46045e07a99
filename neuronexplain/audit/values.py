"""Audits as values for programs: strict JSON, and rows of CSV."""

from __future__ import annotations

import csv
import json
from io import StringIO
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from dissection.plain_text import cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def plain_values(value: object) -> Any:  # noqa: ANN401 -- strings, numbers, lists and dicts
    """Dataclasses as plain values; a number that is not known becomes ``None``."""
    return _finite(msgspec.to_builtins(value))


def json_bytes(value: object) -> bytes:
    """Plain values as a JSON file."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def csv_bytes(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """Rows as a CSV file, in which no text is a formula."""
    stream = StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: cell(value) if isinstance(value, str) else value for key, value in row.items()})
    return stream.getvalue().encode("utf-8", "replace")


def _finite(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
