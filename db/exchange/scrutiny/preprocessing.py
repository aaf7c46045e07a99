"""The text of a preprocessing, as :attr:`dissection.networks.preprocessing.Preprocessing.canonical` writes it.

That class needs torch, which databases do without; a test holds both to the same texts.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Final, Literal

import msgspec

_GREATEST_SIDE: Final = 2**16
_NUMBERS: Final = {1: "grey", 3: "red, green and blue"}


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interpolation: Literal["bilinear", "bicubic", "lanczos"]
    mean: list[float]
    resize: int | list[int]
    size: list[int]
    std: list[float]
    channels: Literal[1, 3] = 3


def preprocessing_problem(text: str) -> str | None:
    """What is wrong with a preprocessing's text, or ``None``."""
    try:
        form = msgspec.json.decode(text, type=_Form)
        canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    resize = [form.resize] * 2 if isinstance(form.resize, int) else form.resize
    if {len(form.size), len(resize)} != {2} or not all(1 <= side <= _GREATEST_SIDE for side in (*form.size, *resize)):
        return f"the sizes {form.size} and {form.resize} are not of pixels"
    if {len(form.mean), len(form.std)} != {form.channels}:
        return f"a mean and a deviation are needed for {_NUMBERS[form.channels]}"
    if not all(map(isfinite, (*form.mean, *form.std))) or min(form.std) <= 0:
        return f"the mean {form.mean} and the deviation {form.std} are not finite, or the latter is not above 0"
    return None if text == canonical else "it is not in the order and form of a key"
