"""The methods of explanation, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError
from neuronexplain.arguments import inputs_of, names_of, network_of
from neuronexplain.class_arguments import targets_of

from .backpropagation import Backpropagation, Fused
from .cam import class_activation
from .excitation import excitation
from .gradcam import GradCam, maximum, mean_of_absolute, mean_of_negated
from .method import Method
from .occlusion import Occlusion
from .rectifiers import deconvolution, gradient, guided
from .targets import at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jaxtyping import Float
    from torch import Tensor

    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from neuronexplain.arguments import ImagesLike, NetworkLike
    from neuronexplain.class_arguments import TargetLike
    from neuronexplain.vocabulary import MethodName

    from .method import Compute, Kind
    from .targets import Target

_FOR, _FOR_AND_AGAINST = "what speaks for {target}", "what speaks for and against {target}"
_SHARP = "pixels that excite neurons which speak for {target}"
_SHARP_FOR = "pixels that speak for {target}"

_CATALOGUE: Mapping[MethodName, tuple[str, str, str, Kind, Compute]] = {
    "grad-cam": ("Grad-CAM", _FOR, "Eq. 1 and 2", "heat", GradCam()),
    "counterfactual": (
        "Counterfactual",
        "what speaks against {target}: without it, the network would be surer",
        "Eq. 12",
        "heat",
        GradCam(mean_of_negated),
    ),
    "guided-grad-cam": ("Guided Grad-CAM", _SHARP_FOR, "Sec. 3.2", "pixels", Fused(guided)),
    "deconv-grad-cam": ("Deconvolution Grad-CAM", _SHARP_FOR, "Sec. 3.2", "pixels", Fused(deconvolution)),
    "guided-backprop": (
        "Guided Backpropagation",
        _SHARP,
        "Springenberg et al. 2014",
        "pixels",
        Backpropagation(guided),
    ),
    "deconvolution": ("Deconvolution", _SHARP, "Zeiler and Fergus 2014", "pixels", Backpropagation(deconvolution)),
    "gradient": (
        "Gradient",
        "pixels that change {target} most",
        "Simonyan et al. 2014",
        "pixels",
        Backpropagation(gradient),
    ),
    "cam": ("CAM", _FOR_AND_AGAINST, "Zhou et al. 2016; Sec. 3.1", "signed", class_activation),
    "c-mwp": ("Excitation Backprop (c-MWP)", _FOR, "Zhang et al. 2016", "heat", excitation),
    "occlusion": (
        "Occlusion",
        "where {target} falls, or rises, when a patch is covered",
        "Zeiler and Fergus 2014; Sec. 5.3",
        "signed",
        Occlusion(),
    ),
    "grad-cam-no-relu": (
        "Grad-CAM without ReLU in Eq. 2",
        _FOR_AND_AGAINST,
        "Table 3",
        "signed",
        GradCam(finish=torch.clone),
    ),
    "grad-cam-absolute": ("Grad-CAM, absolute gradients", _FOR, "Table 3", "heat", GradCam(mean_of_absolute)),
    "grad-cam-max": ("Grad-CAM, max-pooled gradients", _FOR, "Table 3", "heat", GradCam(maximum)),
    "grad-cam-guided-relu": ("Grad-CAM, guided ReLU", _FOR, "Table 3", "heat", GradCam(rule=guided)),
    "grad-cam-deconv-relu": ("Grad-CAM, deconvolution ReLU", _FOR, "Table 3", "heat", GradCam(rule=deconvolution)),
}

METHODS: Mapping[str, Method] = MappingProxyType({name: Method(name, *rest) for name, rest in _CATALOGUE.items()})


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        NetworkError: if there is no such method; the message lists all.
    """
    if name not in METHODS:
        raise NetworkError(f"there is no method {name!r}; choose one of {', '.join(METHODS)}")
    return METHODS[name]


def check_methods(methods: Iterable[Method], network: Network) -> None:
    """Try methods on an image of noise, before doing any work that an undefined one would waste.

    Of a network without classes, the first number that it gives is explained: a word, or an answer.

    Raises:
        NetworkError: if a method is not defined for the network; the message says why.
    """
    preprocessing = network.preprocessing
    noise = torch.randn(1, preprocessing.channels, *preprocessing.size, generator=torch.Generator().manual_seed(0))
    target: Target = torch.zeros(1, dtype=torch.long) if network.classes else at(0)
    for method in methods:
        if not isinstance(method.compute, Occlusion):  # which is defined for every network
            method.attribution(network, noise.to(network.device), target)


def watched(method: Method, progress: Progress | None) -> Method:
    """The method, made to report its progress if it needs many passes."""
    if progress is None or not isinstance(method.compute, Occlusion):
        return method
    return replace(method, compute=replace(method.compute, progress=partial(progress, method.name)))


def saliency(
    network: NetworkLike, images: ImagesLike, target: TargetLike, *, method: str = "grad-cam"
) -> Float[Tensor, "images H W"]:
    """How much each pixel matters for a target, by a method: see :meth:`Method.maps`.

    Args:
        network: the network, explained at its layer; or a module, or a name that :func:`open_network` takes.
        images: a batch of preprocessed photographs as floats ``(images, channels, H, W)``, which is taken as it is; or
            photographs: a path, a picture, an array or a tensor, or several of them, which are preprocessed first.
        target: a class, by label or index; a class for each image; or a callable, see
            :mod:`neuronexplain.methods.targets`.
        method: a name in :data:`METHODS`.

    Raises:
        ClassNotFoundError: if the network has no such class.
        NetworkError: if there is no such method, or it is not defined for the network or the target.
        PhotographError: if a file is not a photograph.
        TypeError: if an argument is of no kind that can be taken.
    """
    explained = network_of(network)
    inputs = inputs_of(explained, images)
    (name,) = names_of(method)
    return find_method(name).maps(explained, inputs, targets_of(target, explained))
