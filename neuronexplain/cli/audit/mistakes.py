"""``neuronexplain audit mistakes``: what a network gets wrong, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.groups import grouped
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

from .audited_run import AuditedRun, AuditOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.audit.mistakes.confusions import ClassAccuracy, Confusion
    from neuronexplain.audit.mistakes.mistakes import CheckedPhotograph, Mistake

_CONFUSIONS = 20
"""How many confusions people see."""

_CONCEPTS = 3
"""How many names that a confusion has in common people see."""


@grouped
def mistakes(
    *,
    photographs: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder that holds a folder of photographs per class.")
    ],
    audited: AuditedRun,
    limit: Annotated[int, typer.Option(min=1, help="At most this many mistakes on screen and page.")] = 40,
    min_truth: options.MinTruth = DEFAULT_RULES.min_truth,
    max_q: options.MaxQ = DEFAULT_RULES.max_q,
    min_iou: options.MinIou = DEFAULT_RULES.min_iou,
    output: AuditOutput,
) -> None:
    """Find what the network gets wrong, and say what tells the class it says from the one that is shown (Sec. 6.1).

    A photograph shows the class that its folder is named after. For each mistake: which named neurons speak for the
    wrong class or against the right one, and what the scores do without them.

    Example: neuronexplain audit mistakes photographs --db names.db --out mistakes
    """
    from neuronexplain.audit.mistakes.confusions import confusions, overall_accuracy
    from neuronexplain.audit.mistakes.mistakes import check_photographs
    from neuronexplain.audit.mistakes.page import mistakes_page
    from neuronexplain.audit.mistakes.values import MISTAKE_COLUMNS, mistake_rows, mistakes_values
    from neuronexplain.audit.page import AUDIT_PAGE, AuditNote, write_audit
    from neuronexplain.audit.photograph_pass import PhotographPass
    from neuronexplain.audit.values import csv_bytes, json_bytes
    from neuronexplain.class_images import open_class_images
    from neuronexplain.listings import run_facts

    output.check()
    explainer, run = audited.open(Rules(min_truth=min_truth, max_q=max_q, min_iou=min_iou))
    labels = explainer.network.classes
    images = open_class_images(photographs, labels)
    with output.execution() as execution:
        work = PhotographPass(explainer.network, run, images, execution, output.out, output.fresh)
        checked = check_photographs(work, explainer)
        if output.out:
            title = f"What {run.network} gets wrong"
            facts = {"Photographs": photographs.name, **run_facts(run, named=len(explainer.names))}
            page = mistakes_page(checked, work, explainer, title=title, facts=facts, limit=limit)
            files = {
                "mistakes.json": json_bytes(mistakes_values(checked, labels)),
                "mistakes.csv": csv_bytes(mistake_rows(checked), MISTAKE_COLUMNS),
            }
            write_audit(output.out, AuditNote.of("mistakes", title, run), page, files)
    if output.json:
        console.write_json(mistakes_values(checked, labels))
    elif output.csv:
        console.write_rows(mistake_rows(checked), dict.fromkeys(MISTAKE_COLUMNS, ""), as_json=False, as_csv=True)
    else:
        _say_accuracy(overall_accuracy(checked), len(labels))
        _say_confusions(confusions(checked))
        _say_mistakes(checked, limit)
        if output.out:
            console.say(f"Page: {output.out / AUDIT_PAGE}")


def _say_accuracy(accuracy: ClassAccuracy, classes: int) -> None:
    from neuronexplain.audit.mistakes.mistakes import TOP
    from neuronexplain.audit.shown_figures import in_percent

    top = f"; the right class is among the first five in {in_percent(accuracy.top_5)}" if classes > TOP else ""
    console.say(f"Right in {in_percent(accuracy.top_1)} of {accuracy.top_1.images} photographs{top}.")


def _say_confusions(confusions: Sequence[Confusion]) -> None:
    from neuronexplain.audit.shown_figures import in_percent, with_sign

    repeated = [confusion for confusion in confusions if len(confusion.mistakes) > 1]
    if not repeated:
        console.say("No class is taken for the same other one twice." if confusions else "There is no mistake.")
        return
    rows = [
        {
            "shown": confusion.shown,
            "said": confusion.said,
            "photographs": len(confusion.mistakes),
            "share": in_percent(confusion.share),
            "common": "; ".join(
                f"{concept.concept} in {concept.photographs}: {with_sign(concept.effect)}"
                for concept in confusion.concepts[:_CONCEPTS]
            ),
        }
        for confusion in repeated[:_CONFUSIONS]
    ]
    columns = {
        "shown": "shows",
        "said": "is taken for",
        "photographs": "photographs",
        "share": "of those that show it",
        "common": "speaks for the wrong class by",
    }
    console.write_rows(rows, columns, as_json=False, as_csv=False)


def _say_mistakes(checked: Sequence[CheckedPhotograph], limit: int) -> None:
    from neuronexplain.audit.mistakes.confusions import told_first
    from neuronexplain.audit.mistakes.wording import said_sides

    mistakes = told_first([photograph.mistake for photograph in checked if photograph.mistake])
    told = [mistake for mistake in mistakes[:limit] if any(said_sides(mistake))]
    untold = [mistake for mistake in mistakes[:limit] if not any(said_sides(mistake))]
    for mistake in told:
        _say_mistake(mistake, with_words=True)
    if untold:
        console.say("No sure word tells the two classes of these apart:")
        for mistake in untold:
            _say_mistake(mistake, with_words=False)
    if len(mistakes) > limit:
        console.say(f"{len(mistakes) - limit} more mistakes are not shown; --limit shows more, --json and --csv all.")


def _say_mistake(mistake: Mistake, *, with_words: bool) -> None:
    from neuronexplain.audit.mistakes.wording import headline, say_apart, say_prediction

    console.say(f"{headline(mistake)}  [{mistake.image}]")
    console.say_item(f"  {say_prediction(mistake)}", hanging=2)
    if with_words:
        console.say_item(f"  {say_apart(mistake)}", hanging=2)
    console.say()
