"""``neuronexplain evaluate captions ratio``: Sec. 8.1."""

from __future__ import annotations

from neuronexplain.cli.evaluate.spoken import THREE, SpeakingNetwork, ThreeMethods, methods_named
from neuronexplain.cli.groups import grouped

from .inputs import CaptionedImages, Whose


@grouped
def ratio(
    *, method: ThreeMethods = None, captions: Whose = "written", images: CaptionedImages, speaker: SpeakingNetwork
) -> None:
    """Divide a map's mean inside the box of what words describe by its mean outside (Sec. 8.1).

    Example: neuronexplain evaluate captions ratio --network scenes/captioner --out figures
    """
    from neuronexplain.evaluation.protocols import CaptionRatio

    captioned = images.open()
    speaker.run(CaptionRatio(captioned.words, captions), captioned.ground, methods_named(method, default=THREE))
