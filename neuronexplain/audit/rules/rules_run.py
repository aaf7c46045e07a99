"""Measures what a file of rules asks, each question once, and judges its rules."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from neuronexplain.audit.effect.effect import audit_effect
from neuronexplain.audit.effect.photographs import audited_photographs, of_folder
from neuronexplain.class_images import open_class_images

from .rules import judged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Execution
    from neuronexplain.audit.effect.covering import AuditDraws
    from neuronexplain.audit.effect.effect import Reliance
    from neuronexplain.audit.effect.named_network import NamedNetwork
    from neuronexplain.audit.effect.photographs import AuditedPhotographs

    from .rules import JudgedRule
    from .rules_file import LeaningRule


def audit_rules(
    named: NamedNetwork,
    rules: Sequence[LeaningRule],
    *,
    photographs: Path | None,
    masks: ConceptDataset | None,
    draws: AuditDraws,
    journals: Path | None,
    execution: Execution,
    fresh: bool = False,
) -> list[JudgedRule]:
    """Judge rules, in their order. All classes and concepts are looked up before anything is measured.

    Args:
        named: the network, with names for its units.
        rules: the rules.
        photographs: a folder per class.
        masks: concept data.
        draws: what is random, and how pixels are covered.
        journals: a folder whose files let the same rules be resumed, should they be interrupted.
        execution: how the work is run, in one process.
        fresh: start over.

    Raises:
        ClassNotFoundError: if the network lacks a rule's class.
        ConceptDataError: if there are no photographs of a class, or labels cannot be read.
        ConceptNotFoundError: if nothing is known of a rule's concept.
        NeuronExplainError: as :func:`~neuronexplain.audit.effect.effect.audit_effect`.
    """
    classes = named.network.classes
    leanings = [named.leaning(rule.target, rule.concept, masks) for rule in rules]
    images = None if photographs is None else open_class_images(photographs, classes)
    paths = [() if images is None else of_folder(images, leaning.target, classes) for leaning in leanings]
    looked_at: dict[tuple[int, str], AuditedPhotographs] = {}
    measured: dict[tuple[int, str, str], Reliance] = {}
    judgements = []
    for rule, leaning, of_class in zip(rules, leanings, paths, strict=True):
        shown, question = (leaning.target, rule.thing), (leaning.target, leaning.key, rule.thing)
        if shown not in looked_at:
            looked_at[shown] = audited_photographs(
                classes,
                leaning.target,
                of_class,
                masks,
                thing=rule.thing,
                progress=lambda done, total: execution.report("reading the masks", done, total),
            )
        if question not in measured:
            measured[question] = audit_effect(
                named,
                leaning,
                looked_at[shown],
                draws=draws,
                journal=journals and journals / f"{_digest(question)}.jsonl",
                execution=execution,
                fresh=fresh,
            )
        judgements.append(judged(rule, measured[question]))
    return judgements


def _digest(question: tuple[int, str, str]) -> str:
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:16]
