"""What sets runs apart: of two runs of one network, a listing shows the same words unless it says this."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from db.records import CONCEPT_IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from db.records import Run

_FINGERPRINT: Final = 12
_DIGITS: Final = (3, 4, 5, 6, 8, 10, 12, 17)

Differences = dict[str, str]
"""What a run has where others have something else, by the name of the setting."""


def differences(runs: Sequence[Run]) -> dict[int, Differences]:
    """What sets each run apart from the others, by the run's number; equal settings are left out."""
    settings = {run.id: _settings(run) for run in runs}
    names = dict.fromkeys(name for values in settings.values() for name in values)
    apart: dict[int, Differences] = {run.id: {} for run in runs}
    for name in names:
        values = [settings[run.id].get(name) for run in runs]
        if any(value != values[0] for value in values):
            for run, text in zip(runs, _texts(values), strict=True):
                apart[run.id][name] = text
    return apart


def differences_within_networks(runs: Iterable[Run]) -> dict[int, Differences]:
    """What sets each run apart from the other runs of a network with the same body, by the run's number."""
    by_network: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_network[run.body or run.key.network].append(run)
    return {number: apart for of_one in by_network.values() for number, apart in differences(of_one).items()}


def _settings(run: Run) -> Mapping[str, object]:
    """Everything that a run's results depend on, by name, and the words for what is a fingerprint there."""
    parts = dict(run.key.parts)
    preprocessing = parts.pop("preprocessing")
    named = {"network name": run.network, "concepts name": run.concepts}
    if run.evidence.startswith(CONCEPT_IMAGES):  # which says more than the fingerprint of it, and no less
        parts["evidence"] = run.evidence
    return named | {"length": run.key.length} | parts | _preprocessing(preprocessing)


def _preprocessing(canonical: str) -> dict[str, object]:
    try:
        parsed = json.loads(canonical)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"preprocessing": canonical}


def _texts(values: Sequence[object]) -> list[str]:
    """Values as text, numbers with no more digits than it takes to tell them apart."""
    distinct = len({json.dumps(value, default=str) for value in values})
    texts: list[str] = []
    for digits in _DIGITS:
        texts = [_text(value, digits) for value in values]
        if len(set(texts)) == distinct:
            break
    return texts


def _text(value: object, digits: int) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.{digits}g}"
        case list():
            return ", ".join(_text(item, digits) for item in value)
        case str() if len(value) == 64 and value.isalnum():
            return value[:_FINGERPRINT]
        case _:
            return str(value)
