"""``neuronexplain evaluate captions accuracy``: which words of captions are right."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import SpeakingNetwork
from neuronexplain.cli.groups import grouped

from .inputs import CaptionedImages


@grouped
def accuracy(*, images: CaptionedImages, speaker: SpeakingNetwork) -> None:
    """Compare the network's captions of described scenes with what is there, by kind of word, beside guesses.

    Example: neuronexplain evaluate captions accuracy --network scenes/captioner --out figures
    """
    from neuronexplain.evaluation.protocols import CaptionAccuracy

    captioned = images.open()
    speaker.run(CaptionAccuracy(captioned.words), captioned.ground)
