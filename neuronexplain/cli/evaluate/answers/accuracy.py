"""``neuronexplain evaluate answers accuracy``: which answers are right."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import SpeakingNetwork
from neuronexplain.cli.groups import grouped

from .inputs import AskedImages


@grouped
def accuracy(*, images: AskedImages, speaker: SpeakingNetwork) -> None:
    """Count right answers by kind of question, beside what can be guessed without looking.

    Example: neuronexplain evaluate answers accuracy --network scenes/answerer --out figures
    """
    from neuronexplain.evaluation.protocols import AnswerAccuracy

    speaker.run(AnswerAccuracy(), images.open())
