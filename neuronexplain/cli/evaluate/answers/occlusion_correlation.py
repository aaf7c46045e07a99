"""``neuronexplain evaluate answers occlusion-correlation``: Sec. 8.2."""

from __future__ import annotations

from neuronexplain.cli import options
from neuronexplain.cli.evaluate.occlusion_correlation import Patch, Stride
from neuronexplain.cli.evaluate.spoken import THREE, SpeakingNetwork, ThreeMethods, methods_named
from neuronexplain.cli.groups import grouped

from .inputs import AskedImages


@grouped
def occlusion_correlation(
    *,
    patch: Patch = None,
    stride: Stride = None,
    method: ThreeMethods = None,
    images: AskedImages,
    speaker: SpeakingNetwork,
) -> None:
    """Correlate maps of answers with how much the answer's score falls when a grey patch covers something (Sec. 8.2).

    Example: neuronexplain evaluate answers occlusion-correlation --network scenes/answerer --limit 24 --out figures
    """
    from neuronexplain.evaluation.protocols import AnswerOcclusion

    protocol = AnswerOcclusion(**options.stated(patch=patch, stride=stride))
    speaker.run(protocol, images.open(), methods_named(method, default=THREE))
