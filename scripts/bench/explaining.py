"""What explaining costs, over a forward pass: alphas and a heat map, as captum, torchcam and grad-cam give them.

Ours comes twice: alphas and heat map alone, and with what a sentence needs besides, the effects, potentials and losses.

All sides run in one process with glibc's defaults, on the same images, layer and class. Networks have random
weights: time does not depend on what they have learnt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from building import network
from captum.attr import LayerGradCam
from processes import Process
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from timing import in_turns, ratio, timed
from torch import nn
from torchcam.methods import GradCAM as TorchCam

from dissection.networks.forward import forward
from dissection.networks.reruns import Reruns
from neuronexplain.causes import AnyHead, PooledLinearHead
from neuronexplain.methods.gradcam import alphas, heatmap
from neuronexplain.methods.targets import of_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from neuronexplain import Network

BARE, BACKWARD, OURS, CAUSES = "forward pass", "forward + head backward", "ours", "ours, with effects and losses"
PEERS = ("captum", "torchcam", "grad-cam")
SILENT = 5


def explaining(name: str, size: int, *, rounds: int) -> dict[str, object]:
    """Ratios for batches of ``size`` images."""
    with Process(sides, name, size, keeps_memory=False) as process:
        times = in_turns({side: process.side(side) for side in (BARE, BACKWARD, OURS, CAUSES, *PEERS)}, rounds)
    over_bare = {side: ratio(times, side, BARE) for side in (BACKWARD, OURS, CAUSES, *PEERS)}
    over_backward = {side: ratio(times, side, BACKWARD) for side in (OURS, CAUSES, *PEERS)}
    return {"batch": size, f"over {BARE}": over_bare, f"over {BACKWARD}": over_backward, "seconds": times}


def sides(name: str, size: int) -> dict[str, Callable[[], float]]:
    """All sides, in the process that runs them."""
    net = network(name)
    torch.manual_seed(0)
    images = torch.randn(size, 3, *net.preprocessing.size)
    return {side: timed(run) for side, run in {**ours(net, images), **peers(net, images)}.items()}


def ours(net: Network, images: Tensor) -> dict[str, Callable[[], object]]:
    """Ours, and the passes it needs, written out by hand."""
    body, head = by_hand(net)
    classes = torch.zeros(len(images), dtype=torch.int64)
    lit_maps = torch.rand(net.layer.units, net.layer.height, net.layer.width)
    any_head = PooledLinearHead.of(net, lit_maps) or AnyHead(Reruns(net), lit_maps)

    def bare() -> None:
        with torch.inference_mode():
            net.module(images)

    def backward() -> None:
        with torch.no_grad():
            activation = body(images)
        score = head(activation.requires_grad_())[:, 0].sum()
        torch.autograd.grad(score, activation)

    def explained() -> None:
        result = forward(net, images)
        heatmap(alphas(of_class(result.scores, classes), result.activation), result.activation)

    def with_causes() -> None:
        seen = any_head.look(images)
        heatmap(seen.causes(classes).alphas, seen.result.activation)
        seen.losses(classes, [range(SILENT)] * len(images))

    return {BARE: bare, BACKWARD: backward, OURS: explained, CAUSES: with_causes}


def peers(net: Network, images: Tensor) -> dict[str, Callable[[], object]]:
    """The same with other tools, as in their manuals."""
    layer = net.module.get_submodule(net.layer.name)

    def captum() -> None:
        LayerGradCam(net.module, layer).attribute(images, target=0, relu_attributions=True)

    def torchcam() -> None:
        with TorchCam(net.module, layer) as cam:
            cam([0] * len(images), net.module(images), normalized=False)

    def grad_cam() -> None:
        with GradCAM(model=net.module, target_layers=[layer]) as cam:
            cam(images, targets=[ClassifierOutputTarget(0)] * len(images))

    return dict(zip(PEERS, (captum, torchcam, grad_cam), strict=True))


def by_hand(net: Network) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """The parts of the network before and after the tapped layer's output, written out by hand."""
    module = net.module
    if net.name == "vgg16":
        last = int(net.layer.name.removeprefix("features.")) + 1
        body = module.features[:last]
        head = nn.Sequential(module.features[last:], module.avgpool, nn.Flatten(), module.classifier)
    else:
        first = (module.conv1, module.bn1, module.relu, module.maxpool)
        body = nn.Sequential(*first, module.layer1, module.layer2, module.layer3, module.layer4)
        head = nn.Sequential(module.avgpool, nn.Flatten(), module.fc)
    return body, head
