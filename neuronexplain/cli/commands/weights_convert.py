"""``neuronexplain weights convert``: takes the weights out of a pickle, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.counts import count


def convert(
    source: Annotated[Path, typer.Argument(metavar="OLD", help="A checkpoint written by torch.save.")],
    target: Annotated[Path, typer.Argument(metavar="NEW", help="The safetensors file to write.")],
    ema: options.Ema = False,
) -> None:
    """Take the weights out of a pickled checkpoint, or a whole pickled model, without running anything in it.

    Example: neuronexplain weights convert resnet18_places365.pth.tar resnet18.safetensors
    """
    from dissection.networks.pickled_weights import convert_pickle as write

    tensors = write(source, target, ema=ema)
    console.say(f"{count(tensors, 'tensor')} written to {target}. Next: neuronexplain build --weights {target} …")
