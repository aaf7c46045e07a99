"""The methods, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from .backpropagation import Backpropagation, Fused
from .classifier import class_activation
from .excitation import excitation
from .gradcam import GradCam, maximum, mean_of_absolute, mean_of_negated
from .method import Method
from .occlusion import Occlusion
from .rectifiers import deconvolution, gradient, guided

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOR, _FOR_AND_AGAINST = "what speaks for {target}", "what speaks for and against {target}"
_SHARP = "what of the photograph raises neurons that raise {target}"
_SHARP_FOR = "what of the photograph speaks for {target}"

_ALL = (
    Method("grad-cam", "Grad-CAM", _FOR, "Eq. 1 and 2", "heat", GradCam()),
    Method(
        "counterfactual",
        "Counterfactual",
        "what speaks against {target}: without it, the network would be surer",
        "Eq. 12",
        "heat",
        GradCam(mean_of_negated),
    ),
    Method("guided-grad-cam", "Guided Grad-CAM", _SHARP_FOR, "Sec. 3.2", "pixels", Fused(guided)),
    Method("deconv-grad-cam", "Deconvolution Grad-CAM", _SHARP_FOR, "Sec. 3.2", "pixels", Fused(deconvolution)),
    Method(
        "guided-backprop",
        "Guided Backpropagation",
        _SHARP,
        "Springenberg et al. 2014",
        "pixels",
        Backpropagation(guided),
    ),
    Method(
        "deconvolution", "Deconvolution", _SHARP, "Zeiler and Fergus 2014", "pixels", Backpropagation(deconvolution)
    ),
    Method(
        "gradient",
        "Gradient",
        "pixels that change {target} most",
        "Simonyan et al. 2014",
        "pixels",
        Backpropagation(gradient),
    ),
    Method("cam", "CAM", _FOR_AND_AGAINST, "Zhou et al. 2016; Sec. 3.1", "signed", class_activation),
    Method("c-mwp", "Excitation Backprop (c-MWP)", _FOR, "Zhang et al. 2016", "heat", excitation),
    Method(
        "occlusion",
        "Occlusion",
        "where {target} falls, or rises, when a patch is covered",
        "Zeiler and Fergus 2014; Sec. 5.3",
        "signed",
        Occlusion(),
    ),
    Method(
        "grad-cam-no-relu",
        "Grad-CAM without ReLU in Eq. 2",
        _FOR_AND_AGAINST,
        "Table 3",
        "signed",
        GradCam(finish=torch.clone),
    ),
    Method("grad-cam-absolute", "Grad-CAM, absolute gradients", _FOR, "Table 3", "heat", GradCam(mean_of_absolute)),
    Method("grad-cam-max", "Grad-CAM, max-pooled gradients", _FOR, "Table 3", "heat", GradCam(maximum)),
    Method("grad-cam-guided-relu", "Grad-CAM, guided ReLU", _FOR, "Table 3", "heat", GradCam(rule=guided)),
    Method(
        "grad-cam-deconv-relu", "Grad-CAM, deconvolution ReLU", _FOR, "Table 3", "heat", GradCam(rule=deconvolution)
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
