"""``neuronexplain concepts check``: checks concept data before it is used."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IMAGES, MIN_IOU, QUANTILE
from neuronexplain.cli import console, options
from neuronexplain.counts import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.concepts.checking import Inspection
    from dissection.concepts.surveys import OutOfReach, Survey
    from dissection.vocabulary import ConceptSupport

_SHOWN = 30


def check(
    folder: options.ConceptFolder,
    quantile: Annotated[float, typer.Option(help="The quantile that build will use.")] = QUANTILE,
    min_images: options.MinImages = MIN_IMAGES,
    json: options.Json = False,
) -> None:
    """List every bad file of a concept dataset, before hours are spent on it; the exit status is 2 if there are any.

    Example: neuronexplain concepts check broden1_224
    """
    from dissection.concepts.checking import inspect
    from dissection.concepts.layouts import open_concepts
    from dissection.concepts.model_labels import model_labels_of
    from dissection.concepts.surveys import out_of_reach

    options.require_share(quantile)
    with console.progress() as progress:
        inspection = inspect(folder, progress=partial(progress, "checking"))
    problems, survey = inspection.problems, inspection.survey
    errors = sum(problem.severity == "error" for problem in problems)
    unreachable = out_of_reach(survey.concepts, survey.pixels, quantile=quantile, min_iou=MIN_IOU)
    labels = "" if errors else model_labels_of(open_concepts(folder))
    if json:
        console.write_json(_values(inspection, unreachable, min_images) | {"labels": labels or None})
    else:
        for problem in problems:
            console.say(f"{problem.severity}: {problem.file}: {problem.what}")
        _describe(survey, min_images)
        if labels:
            console.say(f"{labels[0].upper()}{labels[1:]}.")
        say_out_of_reach(unreachable, quantile)
        warnings = len(problems) - errors
        console.say(f"{count(errors, 'error')}, {count(warnings, 'warning')}." if problems else "All is well.")
    if errors:
        raise typer.Exit(2)


def say_out_of_reach(unreachable: Sequence[OutOfReach], quantile: float) -> None:
    """Say which concepts cover too much to become a name, and what would help."""
    if not unreachable:
        return
    names = [entry.concept.spoken for entry in unreachable]
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    console.say(
        f"Too common to become a name at quantile {quantile:g}: {listed}. "
        f"--quantile {max(entry.quantile for entry in unreachable):g} would bring all of them within reach."
    )


def _describe(survey: Survey, min_images: int) -> None:
    """Print a table of a dataset's concepts, by category."""
    by_category: dict[str, list[ConceptSupport]] = {}
    for support in survey.concepts:
        by_category.setdefault(support.concept.category, []).append(support)
    rows: list[console.Row] = [
        {
            "category": category,
            "concepts": len(supports),
            "nameable": sum(support.images >= min_images for support in supports),
            "share": sum(support.pixels for support in supports) / max(survey.pixels, 1),
        }
        for category, supports in by_category.items()
    ]
    console.say(f"{count(survey.images, 'image')}, {count(len(survey.concepts), 'concept')}.")
    headings = {"category": "category", "concepts": "concepts", "nameable": f"on {min_images}+ images"}
    console.write_rows(rows, headings | {"share": "share of pixels"}, as_json=False, as_csv=False)


def _values(inspection: Inspection, unreachable: Sequence[OutOfReach], min_images: int) -> dict[str, object]:
    return {
        "problems": [asdict(problem) for problem in inspection.problems],
        "images": inspection.survey.images,
        "concepts": [
            {"number": support.concept.number, "name": support.concept.spoken, "category": support.concept.category}
            | {"images": support.images, "pixels": support.pixels, "nameable": support.images >= min_images}
            for support in inspection.survey.concepts
        ],
        "out_of_reach": [
            {"name": entry.concept.spoken, "share": entry.share, "quantile": entry.quantile} for entry in unreachable
        ],
    }
