"""An explanation as plain values that strict JSON can hold."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from dissection.vocabulary import Truth

from .answer import AnswerPair
from .caption import CaptionAnswer
from .listings import formula_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dissection.vocabulary import Evidence

    from .answer import Answer, Contrast, ExemplarPicture
    from .caption import AnyAnswer, SaidWord
    from .methods import Method
    from .vocabulary import LeftOver, RankedUnit, Score

_COUNTS = [field.name for field in fields(Truth)]


def to_json(explanation: Answer, *, heatmap: str | None, methods: Mapping[str, str] | None = None) -> dict[str, object]:
    """What ``explain --json`` prints for one image.

    Args:
        explanation: the explanation.
        heatmap: path of the picture of the heat map, if one was written.
        methods: paths of the pictures of other methods, by name.

    Returns:
        Strings, integers, floats, booleans, lists and dicts; a number that is not finite becomes ``None``.
    """
    rules = explanation.rules
    return {
        "image": explanation.image,
        "prediction": _score(explanation.prediction),
        "target": _score(explanation.target),
        "classes": [_score(score) for score in explanation.classes],
        "true_class": _score(explanation.true_class) if explanation.true_class else None,
        "question": explanation.question or None,
        "sentence": explanation.sentence,
        "loss": _optional(explanation.loss),
        "rank_by": rules.rank_by,
        "among": rules.among,
        "min_iou": _finite(rules.min_iou),
        "max_q": _finite(rules.max_q),
        "min_truth": _finite(rules.min_truth),
        "has_evidence": explanation.has_evidence,
        "labels": explanation.labels or None,
        "constant_alpha": explanation.constant_alpha,
        "noun": explanation.noun,
        "left_over": _left_over(explanation.left_over),
        "top": [_unit(unit) for unit in explanation.top],
        "bottom": [_unit(unit) for unit in explanation.bottom],
        "passed_over": [_unit(unit) for unit in explanation.passed_over],
        "exemplars": [
            _exemplar(unit, picture) for unit, pictures in explanation.exemplars.items() for picture in pictures
        ],
        "heatmap": heatmap,
        "methods": [
            _method(method_map.method, (methods or {}).get(method_map.method.name)) for method_map in explanation.others
        ],
    }


def to_value(explanation: AnyAnswer) -> dict[str, object]:
    """What ``explain --json`` prints for one image, where no picture is written."""
    if isinstance(explanation, CaptionAnswer):
        return caption_to_json(explanation)
    return pair_to_json(explanation) if isinstance(explanation, AnswerPair) else to_json(explanation, heatmap=None)


def caption_to_json(
    caption: CaptionAnswer,
    *,
    heatmaps: Sequence[str | None] | None = None,
    methods: Sequence[Mapping[str, str]] | None = None,
) -> dict[str, object]:
    """What ``explain --words --json`` prints for one image, with the paths of the pictures of each word explained."""
    count = len(caption.explained)
    answers = [
        to_json(answer, heatmap=heatmap, methods=paths)
        for (_, answer), heatmap, paths in zip(
            caption.explained, heatmaps or [None] * count, methods or [{}] * count, strict=True
        )
    ]
    values = {word.place: value for (word, _), value in zip(caption.explained, answers, strict=True)}
    return {
        "image": caption.image,
        "caption": caption.caption,
        "log_probability": _finite(caption.log_probability),
        "words": [_word(word) | {"explanation": values.get(word.place)} for word in caption.words],
    }


def _word(word: SaidWord) -> dict[str, object]:
    debt = word.debt
    owes = None
    if debt is not None:
        interval = list(map(_finite, debt.interval))
        owes = {"nats": _finite(debt.value), "interval": interval, "pictures": debt.pictures, "is_owed": debt.is_owed}
    return {
        "word": word.text,
        "log_probability": _finite(word.log_probability),
        "probability": word.probability,
        "owes_to_picture": owes,
        "sentence": word.sentence,
    }


def pair_to_json(
    pair: AnswerPair, *, heatmaps: Sequence[str | None] = (None, None), methods: Sequence[Mapping[str, str]] = ({}, {})
) -> dict[str, object]:
    """What ``explain --json`` prints for one image and two targets, with the paths of each answer's pictures."""
    return {
        "image": pair.image,
        "explanations": [
            to_json(answer, heatmap=heatmap, methods=paths)
            for answer, heatmap, paths in zip(pair.answers, heatmaps, methods, strict=True)
        ],
        "contrasts": [_contrast(contrast) for contrast in pair.contrasts],
    }


def _contrast(contrast: Contrast) -> dict[str, object]:
    return {
        "rather": contrast.rather.label,
        "than": contrast.than.label,
        "sentence": contrast.sentence,
        "lead": _finite(contrast.lead),
        "loss": _optional(contrast.loss),
        "top": [_unit(unit) for unit in contrast.top],
    }


def _exemplar(unit: int, picture: ExemplarPicture) -> dict[str, object]:
    return {
        "unit": int(unit),
        "image": picture.image,
        "activation": _finite(picture.activation),
        "concepts": [{"name": concept.spoken, "category": concept.category} for concept in picture.concepts],
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
        "effect": _finite(unit.effect),
        "contribution": _finite(unit.contribution),
        "potential": _optional(unit.potential),
        "lit": bool(unit.lit),
        "peak": _finite(unit.peak),
        "name": name.concept.spoken if name else None,
        "category": name.concept.category if name else None,
        "iou": _finite(name.iou) if name else None,
        "meaning": unit.meaning.spoken if unit.meaning else None,
        "truth": _optional(unit.truth),
        "absence": _optional(unit.absence),
        "excess": _optional(unit.excess),
        **(asdict(unit.counts) if unit.counts else dict.fromkeys(_COUNTS)),
        "evidence": _evidence(unit.evidence) if unit.evidence else None,
        "clause": unit.clause if unit.is_spoken else None,
        "unspoken": None if unit.is_spoken else unit.clause,
        **formula_row(unit.composition),
    }


def _evidence(evidence: Evidence) -> dict[str, object]:
    return {
        "p": _finite(evidence.p),
        "q": _finite(evidence.q),
        "kept": _finite(evidence.kept),
        "iou_interval": [_finite(bound) for bound in evidence.iou],
        "margin_interval": [_finite(bound) for bound in evidence.margin],
        "runners_up": [concept.spoken for concept in evidence.runners_up],
    }


def _left_over(left_over: LeftOver | None) -> dict[str, object] | None:
    if left_over is None:
        return None
    return {"effect": _finite(left_over.effect), "total": _finite(left_over.total)}


def _optional(value: float | None) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
