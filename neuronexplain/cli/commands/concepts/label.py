"""``neuronexplain concepts label``: makes concept data of photographs without masks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dissection.vocabulary import MIN_IMAGES
from neuronexplain.cli import console, options
from neuronexplain.counts import count
from neuronexplain.figures import fixed

from .convert import Destination, LabelSize, LeastImages, Size, say_summary, summary_values

if TYPE_CHECKING:
    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.model_labels import LabelCheck
    from dissection.labelling.request import LabellerRequest
    from dissection.labelling.running import Labelled


def label(
    photographs: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photographs; subfolders too.")],
    target: Destination,
    model: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="MODEL",
            help="What labels them: hf/NAME or hf/FOLDER of transformers, a segmentation model of torchvision "
            "(deeplabv3_resnet50, ...), or path/to/file.py:factory.",
            show_default=False,
        ),
    ],
    words: Annotated[
        str,
        typer.Option(
            help='Words with commas between them, "white coat, hair": what to look for, or of a model\'s to keep.'
        ),
    ] = "",
    masks: Annotated[
        str, typer.Option(metavar="MODEL", help="What makes masks of boxes, if --with finds boxes: hf/NAME of SAM.")
    ] = "",
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="A pixel of which the model is less sure is not labelled.",
            show_default="0; 0.5 with CLIPSeg, 0.25 with Grounding DINO, 0.1 with OWL",
        ),
    ] = None,
    category: Annotated[str, typer.Option(help="The category of all words.")] = "object",
    classes: options.Classes = None,
    weights: options.Weights = None,
    mean: options.Mean = None,
    std: options.Std = None,
    input_size: options.InputSize = None,
    channels: options.Channels = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--check-against", metavar="DATA", help="Concept data with true masks: its photographs are labelled too."
        ),
    ] = None,
    against_kind: Annotated[
        str, typer.Option("--check-from", metavar="KIND", help="Layout of DATA; concepts kinds lists all.")
    ] = "",
    against_limit: Annotated[
        int | None, typer.Option("--check-limit", min=1, help="At most this many photographs of DATA, spread evenly.")
    ] = None,
    size: Size = 224,
    label_size: LabelSize = 112,
    min_images: LeastImages = MIN_IMAGES,
    batch_size: options.BatchSize = 8,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Label photographs that have no masks, by a segmentation model, as concept data.

    The labels are the model's: whatever is built of them says so. --check-against measures what they are worth. The
    same command resumes an interrupted one.

    Example: neuronexplain concepts label photos my-concepts --with hf/nvidia/segformer-b0-finetuned-ade-512-512
    """
    from dissection.concepts.conversion import Sizes
    from dissection.files.atomic import refuse_taken
    from dissection.labelling.class_words import words_in
    from dissection.labelling.opening import open_segmenter
    from dissection.labelling.photographs import photographs_of
    from dissection.labelling.request import LabellerRequest
    from dissection.labelling.running import label as write_labelled
    from dissection.networks.opening import read_classes
    from dissection.networks.weights import WeightsFile

    preprocessing: dict[str, Any] = {
        "mean": options.numbers(mean) if mean else None,
        "std": options.numbers(std) if std else None,
        "input_size": input_size,
        "channels": channels,
    }
    request = LabellerRequest(
        model,
        words=words_in(words),
        classes=tuple(read_classes(classes)) if classes else (),
        masks=masks,
        weights=WeightsFile(weights.expanduser().resolve()) if weights else None,
        min_confidence=min_confidence,
        category=category.strip().lower(),
        device=device,
        preprocessing=preprocessing,
    )
    _refuse_options(request, against, against_kind, against_limit)
    refuse_taken(target)
    photographs_of(photographs)
    truth = _truth(against, against_kind, against_limit, label_size) if against else None
    with console.bytes_progress() as progress:
        segmenter = open_segmenter(request, partial(progress, "fetching the weights"))
    with console.progress() as progress:
        labelled = write_labelled(
            photographs,
            target,
            segmenter,
            sizes=Sizes(size, label_size, min_images),
            against=truth,
            batch_size=batch_size,
            progress=progress,
        )
    if json:
        console.write_json(_values(labelled, target))
        return
    if labelled.note.checked:
        _say_check(labelled.note.checked)
    console.say(f"{labelled.note.described[0].upper()}{labelled.note.described[1:]}.")
    say_summary(labelled.summary, target)


def _refuse_options(
    request: LabellerRequest, against: Path | None, against_kind: str, against_limit: int | None
) -> None:
    """Refuse options that would be ignored."""
    if not against:
        of_check = {"--check-from": against_kind, "--check-limit": against_limit}
        options.refuse_ignored([name for name, value in of_check.items() if value], "there is no --check-against DATA")
    if ":" not in request.model or request.model.startswith("hf/"):
        names = {"mean": "--mean", "std": "--std", "input_size": "--input-size", "channels": "--channels"}
        stated = [names[key] for key, value in request.preprocessing.items() if value is not None]
        options.refuse_ignored(stated, f"{request.model} comes with its preprocessing")


def _truth(folder: Path, kind: str, limit: int | None, label_size: int) -> ConceptDataset:
    from dissection.concepts.formats import find_format
    from dissection.concepts.layouts import limited, open_concepts

    if not kind:
        return open_concepts(folder, limit=limit)
    return limited(find_format(kind).open(folder, label_size=label_size), limit)


def _say_check(check: LabelCheck) -> None:
    from msgspec import to_builtins

    ordered = sorted(check.concepts, key=lambda concept: -concept.pixels)
    rows = [to_builtins(concept) for concept in ordered]
    headings = {"name": "concept", "iou": "IoU", "precision": "precision", "recall": "recall", "pixels": "true pixels"}
    console.write_rows(console.ends(rows, 20), headings, as_json=False, as_csv=False)
    both = count(len(check.concepts), "concept")
    images = count(check.images, "photograph")
    console.say(f"Mean IoU {fixed(check.mean_iou, 2)} over {both} that {check.against} knows too, on {images} of it.")


def _values(labelled: Labelled, target: Path) -> dict[str, object]:
    from msgspec import to_builtins

    return summary_values(labelled.summary, target) | {"labels": to_builtins(labelled.note)}
