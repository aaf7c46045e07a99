"""``neuronexplain concepts check``: concept data before it is used."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IMAGES, MIN_IOU, QUANTILE

from . import console, options

if TYPE_CHECKING:
    from dissection.concepts.surveys import OutOfReach, Survey
    from dissection.vocabulary import ConceptSupport

_SHOWN = 30

concepts = typer.Typer(
    help="Check and convert concept data, and ask which concepts matter for a class.", no_args_is_help=True
)


@concepts.command("check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A concept dataset.")],
    quantile: Annotated[float, typer.Option(help="The quantile that build will be given.")] = QUANTILE,
    min_images: Annotated[int, typer.Option(min=1, help="Images a concept must be on to become a name.")] = MIN_IMAGES,
    json: options.Json = False,
) -> None:
    """List every bad file of a concept dataset, before hours are spent on it; exit status 2 if there is one.

    Example: neuronexplain concepts check broden1_224
    """
    from dissection.concepts.checking import inspect
    from dissection.concepts.surveys import out_of_reach

    with console.progress() as progress:
        found = inspect(folder, progress=partial(progress, "checking"))
    errors = sum(problem.severity == "error" for problem in found.problems)
    lost = out_of_reach(found.survey.concepts, found.survey.pixels, quantile=quantile, min_iou=MIN_IOU)
    if json:
        console.write_json(
            {
                "problems": [asdict(problem) for problem in found.problems],
                "images": found.survey.images,
                "concepts": [
                    {"number": each.concept.number, "name": each.concept.spoken, "category": each.concept.category}
                    | {"images": each.images, "pixels": each.pixels}
                    for each in found.survey.concepts
                ],
                "out_of_reach": [
                    {"name": each.concept.spoken, "share": each.share, "quantile": each.quantile} for each in lost
                ],
            }
        )
    else:
        for problem in found.problems:
            console.say(f"{problem.severity}: {problem.file}: {problem.what}")
        describe(found.survey, min_images)
        say_out_of_reach(lost, quantile)
        console.say(f"{errors} errors, {len(found.problems) - errors} warnings." if found.problems else "All is well.")
    if errors:
        raise typer.Exit(2)


def describe(survey: Survey, min_images: int) -> None:
    """A table of what a dataset shows, by category."""
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
    console.say(f"{survey.images} images, {len(survey.concepts)} concepts.")
    headings = {"category": "category", "concepts": "concepts", "nameable": f"on {min_images}+ images"}
    console.write_rows(rows, headings | {"share": "share of pixels"}, as_json=False, as_csv=False)


def say_out_of_reach(lost: tuple[OutOfReach, ...], quantile: float) -> None:
    """Say which concepts cover too much to become a name, and what would help."""
    if not lost:
        return
    names = [each.concept.spoken for each in lost]
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    console.say(
        f"Too common to become a name at quantile {quantile:g}: {listed}. "
        f"--quantile {max(each.quantile for each in lost):g} would bring all of them within reach."
    )
