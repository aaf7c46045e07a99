"""``neuronexplain evaluate captions accuracy``: which words of captions are right."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli.evaluate.spoken import SpeakingNetwork
from neuronexplain.cli.groups import grouped

from .inputs import CaptionedImages, Limit


@grouped
def accuracy(
    *,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(help="Seed of described scenes.")] = 0,
    speaker: SpeakingNetwork,
) -> None:
    """Compare the network's captions of described scenes with what is there, by kind of word, beside guesses.

    Example: neuronexplain evaluate captions accuracy --network scenes/captioner --out figures
    """
    from neuronexplain.evaluation.protocols import CaptionAccuracy

    captioned = CaptionedImages(limit=limit, seed=seed).open()
    speaker.run(CaptionAccuracy(captioned.words), captioned.ground)
