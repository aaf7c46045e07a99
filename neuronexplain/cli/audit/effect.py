"""``neuronexplain audit effect``: how much does a class lean on a concept?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.evaluate.measuring import Fresh
from neuronexplain.cli.groups import grouped
from neuronexplain.vocabulary import INTERVAL, CoverKind

from .audited_run import AuditedRun, ProvenNames

if TYPE_CHECKING:
    from neuronexplain.audit.effect.effect import Reliance

Masks = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Concept data that say where the concept is, whose photographs are looked at."),
]
Seed = Annotated[int, typer.Option(help="Seed of all random draws.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read photographs.")]


@grouped
def effect(
    *,
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="PHOTOS", help="A folder per class, with photographs; without it, those of --masks."),
    ] = None,
    concept: Annotated[str, typer.Option(help="The concept: hair, or object/hair where a name is not enough.")],
    target: Annotated[str, typer.Option("--class", help="The class: label, synonym or number.")],
    audited: AuditedRun,
    names: ProvenNames,
    masks: Masks = None,
    thing: Annotated[
        str,
        typer.Option(
            metavar="CONCEPT",
            help="The concept of --masks that the class means: without PHOTOS, photographs labelled so are the "
            "class's; by default those that the network takes for it.",
        ),
    ] = "",
    cover: Annotated[
        CoverKind, typer.Option(help="What pixels are covered with: the mean colour, or a blur.")
    ] = "mean",
    draws: Annotated[int, typer.Option(min=1, help="Random draws that each photograph is compared with.")] = 4,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the page and the figures; the same command resumes.")
    ] = None,
    batch_size: options.BatchSize = 16,
    workers: Workers = 0,
    fresh: Fresh = False,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Ask how much a class leans on a concept: without its neurons, with its pixels covered, and by correlation.

    The three ways stand beside each other with their intervals; where they disagree, it is said what that means. The
    last two need --masks.

    Example: neuronexplain audit effect photos --class nurse --concept hair --masks hair-masks --db names.db --out hair
    """
    from dissection.concepts.layouts import open_concepts
    from dissection.execution.settings import Execution
    from neuronexplain.audit.effect.covering import AuditDraws
    from neuronexplain.audit.effect.effect import audit_effect
    from neuronexplain.audit.effect.pages import write_reliance
    from neuronexplain.audit.effect.photographs import audited_photographs, of_folder
    from neuronexplain.audit.page import AUDIT_PAGE, require_audit_folder
    from neuronexplain.class_images import open_class_images

    console.require_one_form(as_json=json, as_csv=csv)
    if out is not None:
        require_audit_folder(out)
    named = names.of(audited)
    dataset = None if masks is None else open_concepts(masks)
    leaning = named.leaning(target, concept, dataset)
    classes = named.network.classes
    paths = () if photos is None else of_folder(open_class_images(photos, classes), leaning.target, classes)
    with console.progress() as progress:
        photographs = audited_photographs(
            classes,
            leaning.target,
            paths,
            dataset,
            thing=thing,
            progress=lambda done, total: progress("reading the masks", done, total),
        )
        reliance = audit_effect(
            named,
            leaning,
            photographs,
            draws=AuditDraws(draws, seed, cover),
            journal=out and out / "effect.jsonl",
            execution=Execution(batch_size=batch_size, workers=workers, progress=progress),
            fresh=fresh,
        )
    if out is not None:
        write_reliance(out, reliance, named, photographs)
    if json:
        console.write_json(reliance.to_json())
    elif csv:
        console.write_rows(reliance.rows(), {}, as_json=False, as_csv=True)
    else:
        say_reliance(reliance)
        if out is not None:
            console.say(f"Page: {out / AUDIT_PAGE}")


def say_reliance(reliance: Reliance) -> None:
    """Print what the ways say, for people."""
    console.say_item(reliance.verdict.sentence, hanging=0)
    console.say()
    report = reliance.report
    console.write_rows(
        [dict(row) for row in report.cells()], report.columns, as_json=False, as_csv=False, spare=("remark", "excess")
    )
    console.say(f"In per cent of the score, over {reliance.origin}. {INTERVAL.replace('images', 'photographs')}")
