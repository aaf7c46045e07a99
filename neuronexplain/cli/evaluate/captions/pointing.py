"""``neuronexplain evaluate captions pointing``: Sec. 8.1.1."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import Methods, SpeakingNetwork, methods_named
from neuronexplain.cli.groups import grouped

from .inputs import CaptionedImages, Whose


@grouped
def pointing(
    *, method: Methods = None, captions: Whose = "written", images: CaptionedImages, speaker: SpeakingNetwork
) -> None:
    """Count how often the map of a word points at what the word means (Sec. 8.1.1).

    Beside it: the same word's map of another picture, another word's, the whole caption's, and maps without a gradient.

    Example: neuronexplain evaluate captions pointing --network scenes/captioner --out figures
    """
    from neuronexplain.evaluation.protocols import CaptionPointing

    captioned = images.open()
    speaker.run(CaptionPointing(captioned.words, captions), captioned.ground, methods_named(method))
