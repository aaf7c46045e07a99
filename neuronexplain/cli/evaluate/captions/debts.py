"""``neuronexplain evaluate captions debts``: what words owe to the picture."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import SpeakingNetwork
from neuronexplain.cli.groups import grouped

from .inputs import CaptionedImages, Whose


@grouped
def debts(*, captions: Whose = "reference", images: CaptionedImages, speaker: SpeakingNetwork) -> None:
    """Measure how much likelier words are with their picture than with others, by kind of word.

    Example: neuronexplain evaluate captions debts --network scenes/captioner --out figures
    """
    from neuronexplain.evaluation.protocols import CaptionDebts

    captioned = images.open()
    speaker.run(CaptionDebts(captioned.words, captions), captioned.ground)
