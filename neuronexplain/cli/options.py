"""Options that several commands take, and how their values are read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.vocabulary import Among, ClassRankBy, MethodName, RankBy

Db = Annotated[str, typer.Option("--db", help="The database: a file, or an SQLAlchemy URL.", show_default=False)]
RunNumber = Annotated[int | None, typer.Option("--run", help="Which run, if the database holds several.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV.")]
MinIou = Annotated[float, typer.Option("--min-iou", min=0, max=1, help="Least IoU at which a neuron has a name.")]


def _device(name: str) -> str:
    if name != "auto":
        return name
    from dissection.networks.devices import fastest_device

    return fastest_device()


Device = Annotated[
    str,
    typer.Option(
        "--device",
        callback=_device,
        help="Where the network runs: cpu, cuda, cuda:1, mps; auto takes the first there is of cuda, mps and cpu.",
    ),
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images in one forward pass.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Weights: safetensors, or a state dict written by torch.save.")
]
Ema = Annotated[
    bool, typer.Option("--ema", help="Take the averaged weights (EMA) of a checkpoint that also holds raw ones.")
]

DictionaryNow = Annotated[
    Path | None,
    typer.Option("--dictionary", help="The dictionary's folder, if the run names features and that has moved."),
]

NetworkName = Annotated[
    str,
    typer.Option(
        "--network",
        help="A name that 'neuronexplain networks' lists (vgg16, places365/vgg16, timm/…, hf/…), program.pt2, "
        "path/to/file.py:factory or package.module:factory.",
        show_default=False,
    ),
]
Question = Annotated[
    str | None,
    typer.Option("--question", help="Question to a network that answers: it chooses an answer, or writes one."),
]
NetworkNow = Annotated[
    str | None,
    typer.Option("--network", help="The network, if it has moved, or is code and its neurons were named elsewhere."),
]
InputSize = Annotated[int | None, typer.Option("--input-size", min=1, help="Side of the network's input, in pixels.")]
Channels = Annotated[int | None, typer.Option("--channels", help="Channels of the input: 3 for colour, 1 for grey.")]
Output = Annotated[
    str | None, typer.Option("--output", help="Key or position of the scores, if a network has several outputs.")
]
MultiLabel = Annotated[
    bool, typer.Option("--multi-label", help="Classes are independent: each has a separate probability.")
]
Classes = Annotated[Path | None, typer.Option("--classes", help="Text file with one class label per line.")]
Mean = Annotated[str | None, typer.Option("--mean", help="Mean of the input's colours, such as 0.485,0.456,0.406.")]
Std = Annotated[str | None, typer.Option("--std", help="Standard deviation of the input's colours.")]
Resize = Annotated[
    str | None,
    typer.Option("--resize", help="Size before the centre is cropped: shorter side (256), or HxW (256x256)."),
]

ConceptFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A concept dataset.")]
Category = Annotated[str | None, typer.Option("--category", help="Only concepts of this category.")]
MinImages = Annotated[
    int, typer.Option("--min-images", min=1, help="How many images must show a concept before it can be a name.")
]
Rows = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="At most this many rows.", show_default="a table of 20, all as JSON or CSV"),
]

Ranking = Annotated[
    RankBy,
    typer.Option(
        "--rank-by", help="Rank neurons by alpha, as the paper does, by effect, or by alpha x mean activation."
    ),
]
AmongNeurons = Annotated[
    Among,
    typer.Option(
        "--among", help="Rank neurons with a proven name that something may be said of, all with a name, or all."
    ),
]
MaxQ = Annotated[
    float, typer.Option("--max-q", min=0, max=1, help="A name is proven if its rate of false names is at most this.")
]
MinTruth = Annotated[
    float,
    typer.Option(
        "--min-truth",
        min=0,
        max=1,
        help="Speak of a neuron if its concept is there in at least this share of such images.",
    ),
]
ClassRanking = Annotated[
    ClassRankBy | None,
    typer.Option(
        "--rank-by",
        help="Rank by what lit cells contribute above the average class (lit), or by the sum of alphas or of alpha x "
        "mean activation.",
        show_default="lit, where class statistics are kept",
    ),
]


class Method(StrEnum):
    """The names of methods as an enumeration, made from their literal type: typer accepts no lists of literals."""

    _ignore_ = "method"
    for method in get_args(MethodName):
        vars()[method] = method


def method_names(methods: Iterable[Method] | None) -> list[str]:
    """The names of methods, without repeats."""
    return [method.value for method in dict.fromkeys(methods or ())]


def numbers(text: str) -> tuple[float, ...]:
    """Read three numbers, one per colour, such as ``0.485,0.456,0.406`` or ``123/255 117/255 104/255``; one for grey.

    >>> numbers("1/2, 0.25 1"), numbers("0.5")
    ((0.5, 0.25, 1.0), (0.5,))
    """
    try:
        values = tuple(float(Fraction(part)) for part in text.replace(",", " ").split())
    except (ValueError, ZeroDivisionError):
        values = ()
    if len(values) not in {1, 3}:
        raise NeuronExplainError(
            f"{text!r} is not what is needed: three numbers, such as 0.485,0.456,0.406, or one for grey"
        )
    return values


def stated(**values: object) -> dict[str, Any]:
    """The options that were stated; for the others the library's defaults hold.

    >>> stated(patch=0.1, stride=None)
    {'patch': 0.1}
    """
    return {name: value for name, value in values.items() if value is not None}


def refuse_ignored(names: Iterable[str], reason: str) -> None:
    """Refuse options that were stated and would be ignored, if there are any.

    Args:
        names: the options, as they are typed.
        reason: why they would be ignored.
    """
    ignored = list(names)
    if ignored:
        them = "it" if len(ignored) == 1 else "them"
        raise NeuronExplainError(f"{', '.join(ignored)} would be ignored: {reason}; leave {them} out")


def require_share(quantile: float) -> None:
    """Check that a share of activations is neither none nor all of them."""
    if not 0 < quantile < 1:
        raise NeuronExplainError(f"--quantile {quantile} is not a share between 0 and 1; give one, 0.005 is usual")


def resizing(text: str) -> int | tuple[int, int]:
    """Read a size: ``256`` is the shorter side, ``256x224`` height and width.

    >>> resizing("256"), resizing("256x224")
    (256, (256, 224))
    """
    parts = text.lower().split("x")
    if not all(part.isdecimal() and int(part) for part in parts) or len(parts) > 2:
        raise NeuronExplainError(
            f"{text!r} is not a size in pixels; give one, such as 256, or HEIGHTxWIDTH, such as 256x256"
        )
    return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
