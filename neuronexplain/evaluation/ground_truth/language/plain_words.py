"""Captions as captioners learn them: small letters, no punctuation (Karpathy and Fei-Fei 2015)."""

from __future__ import annotations

import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(caption: str) -> str:
    """A caption without capital letters and punctuation.

    >>> plain("A man's dog, on a bed .")
    'a mans dog on a bed'
    """
    return " ".join(caption.casefold().translate(_PUNCTUATION).split())
