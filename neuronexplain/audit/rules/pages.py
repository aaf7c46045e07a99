"""Writes judged rules as a page without scripts or outside assets, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain.audit.effect.pages import way_cards
from neuronexplain.audit.page import AuditNote, write_audit
from neuronexplain.audit.values import json_bytes
from neuronexplain.listings import run_facts
from neuronexplain.report.page import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.audit.effect.named_network import NamedNetwork

    from .rules import JudgedRule

_OUTCOMES = ("broken", "undecided", "kept")


def rules_json(judgements: Sequence[JudgedRule]) -> dict[str, object]:
    """Judged rules as JSON values."""
    return {
        "counts": {name: sum(judgement.outcome == name for judgement in judgements) for name in _OUTCOMES},
        "rules": [judgement.to_json() for judgement in judgements],
    }


def write_rules(folder: Path, judgements: Sequence[JudgedRule], named: NamedNetwork, *, title: str) -> None:
    """Write the page and ``rules.json`` into a folder.

    Raises:
        OutputError: as :func:`~neuronexplain.audit.page.write_audit`.
    """
    ranked = sorted(judgements, key=lambda judgement: _OUTCOMES.index(judgement.outcome))
    values = rules_json(judgements)
    page = render(
        "audit_rules.html.j2",
        title=title,
        counts=values["counts"],
        judgements=[(judgement, *way_cards(judgement.reliance)) for judgement in ranked],
        noun=named.run.layer.noun,
        facts=run_facts(named.run, named=len(named.dissection.names(named.rules.min_iou))),
    )
    write_audit(folder, AuditNote.of("rules", title, named.run), page, {"rules.json": json_bytes(values)})
