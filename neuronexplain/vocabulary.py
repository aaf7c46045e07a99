"""What can be asked for by name, as one type for each choice. Nothing here imports anything heavy.

The library's functions are annotated with these, and the command line offers them.
"""

from __future__ import annotations

from typing import Literal

RankBy = Literal["alpha", "contribution"]
"""What units are ranked by: their importance (Eq. 1), or that times their mean activation."""

Among = Literal["all", "named"]
"""Which units are ranked."""

MethodName = Literal[
    "grad-cam",
    "counterfactual",
    "guided-grad-cam",
    "deconv-grad-cam",
    "guided-backprop",
    "deconvolution",
    "gradient",
    "cam",
    "c-mwp",
    "occlusion",
    "grad-cam-no-relu",
    "grad-cam-absolute",
    "grad-cam-max",
    "grad-cam-guided-relu",
    "grad-cam-deconv-relu",
]
"""The methods of :data:`neuronexplain.methods.METHODS`."""

DataKind = Literal["concepts", "voc", "coco", "ilsvrc", "scenes", "photographs"]
"""The layouts of annotated images."""

ViewKind = Literal["whole", "centre", "ten"]
"""What of a photograph the network sees, see :mod:`neuronexplain.evaluation.framing`."""
