"""The methods, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from . import gradcam
from .method import Method

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL = (
    Method("grad-cam", "Grad-CAM", "what speaks for it", "Eq. 1 and 2", "heat", gradcam.GradCam()),
    Method(
        "counterfactual",
        "Counterfactual Grad-CAM",
        "what speaks against it",
        "Eq. 12",
        "heat",
        gradcam.GradCam(gradcam.mean_of_negated),
    ),
    Method(
        "grad-cam-no-relu",
        "Grad-CAM without ReLU",
        "what speaks for and against it",
        "Table 3",
        "signed",
        gradcam.GradCam(finish=torch.clone),
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
