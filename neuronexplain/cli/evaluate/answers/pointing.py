"""``neuronexplain evaluate answers pointing``: whether answers look at what is asked about."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import Methods, SpeakingNetwork, methods_named
from neuronexplain.cli.groups import grouped

from .inputs import AskedImages


@grouped
def pointing(*, method: Methods = None, images: AskedImages, speaker: SpeakingNetwork) -> None:
    """Count how often the map of an answer points at the thing that the question is about.

    Example: neuronexplain evaluate answers pointing --network scenes/answerer --out figures
    """
    from neuronexplain.evaluation.protocols import AnswerPointing

    speaker.run(AnswerPointing(), images.open(), methods_named(method))
