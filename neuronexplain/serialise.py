"""An explanation as plain values that strict JSON can hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .explanation import Explanation
    from .methods import Method
    from .vocabulary import RankedUnit, Score


def to_json(
    explanation: Explanation, *, heatmap: str | None, methods: Mapping[str, str] | None = None
) -> dict[str, object]:
    """What ``explain --json`` prints for one image.

    Args:
        explanation: the explanation.
        heatmap: path of the picture of the heat map, if one was written.
        methods: paths of the pictures of other methods, by name.

    Returns:
        Strings, integers, floats, booleans, lists and dicts; a number that is not finite becomes ``None``.
    """
    return {
        "image": explanation.image,
        "prediction": _score(explanation.prediction),
        "target": _score(explanation.target),
        "sentence": explanation.sentence,
        "rank_by": explanation.rank_by,
        "among": explanation.among,
        "constant_alpha": explanation.constant_alpha,
        "min_iou": _finite(explanation.min_iou),
        "top": [_unit(unit) for unit in explanation.top],
        "bottom": [_unit(unit) for unit in explanation.bottom],
        "passed_over": [int(unit) for unit in explanation.passed_over],
        "heatmap": heatmap,
        "methods": [
            _method(method_map.method, (methods or {}).get(method_map.method.name)) for method_map in explanation.others
        ],
    }


def _method(method: Method, picture: str | None) -> dict[str, object]:
    return {"name": method.name, "title": method.title, "reference": method.reference, "picture": picture}


def _score(score: Score) -> dict[str, object]:
    return {
        "label": score.label,
        "index": int(score.index),
        "probability": _finite(score.probability),
        "logit": _finite(score.logit),
    }


def _unit(unit: RankedUnit) -> dict[str, object]:
    name = unit.name
    return {
        "unit": int(unit.unit),
        "alpha": _finite(unit.alpha),
        "contribution": _finite(unit.contribution),
        "name": name.concept.spoken if name else None,
        "category": name.concept.category if name else None,
        "iou": _finite(name.iou) if name else None,
        "active": bool(unit.active),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
