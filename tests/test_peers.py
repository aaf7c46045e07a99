"""The same maps from captum, grad-cam and zennit, where they implement the same definition.

Where they do not: captum, grad-cam and zennit put rules on ``nn.ReLU`` modules only, so their networks here have no
functional ReLU; captum's Guided Grad-CAM upsamples to nearest neighbours unless told otherwise; zennit's Excitation
Backprop has no contrast, counts positive biases and adds 1e-6 to denominators.
"""

import copy
import warnings

import numpy as np
import pytest
import torch
from captum import attr
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.guided_backprop import GuidedBackpropReLUModel
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision import models
from torchvision.models.googlenet import BasicConv2d
from worlds import SHARED
from zennit.attribution import Gradient
from zennit.composites import DeconvNet, ExcitationBackprop, GuidedBackprop

from dissection.images.photographs import open_photograph
from dissection.networks.layers import default_layer
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import Preprocessing
from neuronexplain.methods import METHODS
from neuronexplain.methods.excitation import Excitation
from neuronexplain.methods.gradcam import combination, mean
from neuronexplain.methods.occlusion import Occlusion
from neuronexplain.methods.trace import traced, traced_under

TARGET = 3
NETWORKS = ["vgg11", "resnet18", "squeezenet1_1", "googlenet", "mobilenet_v2"]
RELU_NETWORKS = NETWORKS[:3]


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return opened(request.param)


@pytest.fixture(scope="module", params=RELU_NETWORKS)
def modular(request):
    """A network all of whose ReLUs are modules."""
    return opened(request.param)


def opened(name: str) -> Network:
    torch.manual_seed(0)
    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    module = (Vgg() if name == "vgg11" else models.get_model(name, weights=None, num_classes=10, **more)).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.data.uniform_(0.5, 1.5)
            part.running_var.uniform_(0.5, 1.5)
    size = (64, 64)
    return Network(module, name, default_layer(module, size), Preprocessing(size=size), tuple("abcdefghij"))


class Vgg(nn.Module):
    """VGG11 with a head of tens, not of thousands."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.avgpool = models.vgg.make_layers(models.vgg.cfgs["A"]), nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(512, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
        )
        for part in self.features:
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))


def assert_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    scale = theirs.abs().max()
    assert scale > 0
    assert torch.allclose(ours / scale, theirs.detach() / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "theirs"), [("guided-backprop", attr.GuidedBackprop), ("deconvolution", attr.Deconvolution)]
)
def test_captums_rules(modular, name, theirs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it sets hooks
        expected = theirs(copy.deepcopy(modular.module)).attribute(images().requires_grad_(), target=TARGET)
    assert_same(METHODS[name].attribution(modular, images(), TARGET), expected)


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data are not here")
def test_deconvolution_of_a_trained_squeezenet_can_leave_nothing():
    """Nothing positive gets past ``features.7.squeeze`` for a tench; for a Shetland sheepdog something does."""
    network = open_network(
        "squeezenet1_0", weights=SHARED / "weights" / "squeezenet1_0-imagenet.safetensors",
        mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255,) * 3, input_size=227, resize=(256, 256),
    )  # fmt: skip
    files = [next(SHARED.glob(f"imagenet/*/{name}.jpg")) for name in ("n01440764_tench", "n02106030_collie")]
    given = torch.stack([network.preprocessing.tensor(network.preprocessing.frame(open_photograph(f))) for f in files])
    classes = torch.tensor([0, 230])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = attr.Deconvolution(network.module).attribute(given.clone().requires_grad_(), target=classes)
    found = METHODS["deconvolution"].attribution(network, given, classes)
    assert_same(found, expected)
    assert not found[0].any()


@pytest.mark.parametrize(
    ("name", "theirs"), [("guided-backprop", attr.GuidedBackprop), ("deconvolution", attr.Deconvolution)]
)
@pytest.mark.parametrize("architecture", ["googlenet", "mobilenet_v2"])
def test_relus_that_captum_does_not_see(architecture, name, theirs):
    """captum leaves ``F.relu`` and ReLU6 their derivative. With modules instead, it agrees with our map."""
    network = opened(architecture)
    given = images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        unseen = theirs(copy.deepcopy(network.module)).attribute(images().requires_grad_(), target=TARGET)
        seen = theirs(with_relu_modules(network.module)).attribute(images().requires_grad_(), target=TARGET)
    assert_same(METHODS["gradient"].attribution(network, given, TARGET), unseen)
    assert_same(METHODS[name].attribution(network, given, TARGET), seen)


def with_relu_modules(module: nn.Module) -> nn.Module:
    """A copy with GoogLeNet's ``F.relu`` as modules, and ReLU6 as a ReLU and a ceiling."""
    module = copy.deepcopy(module)
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, BasicConv2d):
                setattr(part, name, nn.Sequential(child.conv, child.bn, nn.ReLU()))
            elif isinstance(child, nn.ReLU6):
                setattr(part, name, nn.Sequential(nn.ReLU(), Ceiling()))
    return module


class Ceiling(nn.Module):
    """A ceiling at 6."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.minimum(x, torch.tensor(6.0))


def test_captums_gradient_and_layer_grad_cam(network):
    expected = attr.Saliency(network.module).attribute(images().requires_grad_(), target=TARGET, abs=False)
    assert_same(METHODS["gradient"].attribution(network, images(), TARGET), expected)
    if network.layer.rectifier:
        return
    layer = network.module.get_submodule(network.layer.name)
    coarse = attr.LayerGradCam(network.module, layer)
    found = coarse.attribute(images(), target=TARGET, relu_attributions=False)
    expected = attr.LayerAttribution.interpolate(found, (64, 64), "bilinear")[:, 0]
    assert_same(METHODS["grad-cam-no-relu"].maps(network, images(), TARGET), expected)


def test_captums_guided_grad_cam(modular):
    module = copy.deepcopy(modular.module)
    layer = module.get_submodule(modular.layer.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = attr.GuidedGradCam(module, layer).attribute(
            images().requires_grad_(), target=TARGET, interpolate_mode="bilinear"
        )
    assert_same(METHODS["guided-grad-cam"].attribution(modular, images(), TARGET), expected)


@pytest.mark.parametrize(("patch", "stride"), [(32, 32), (24, 20)])
def test_captums_occlusion(modular, patch, stride):
    expected = attr.Occlusion(modular.module).attribute(
        images(), (3, patch, patch), (3, stride, stride), baselines=0.5, target=TARGET
    )
    found = Occlusion(patch, stride, fill=0.5)(modular, images(), TARGET)
    assert_same(found.expand(-1, 3, -1, -1), expected)


def test_grad_cams_guided_backpropagation(modular):
    guided = GuidedBackpropReLUModel(copy.deepcopy(modular.module))
    expected = np.stack([guided(image[None].clone(), TARGET).transpose(2, 0, 1) for image in images()])
    assert_same(METHODS["guided-backprop"].attribution(modular, images(), TARGET), torch.from_numpy(expected))


def test_grad_cams_grad_cam(modular):
    layer = modular.module.get_submodule(modular.layer.name)
    with GradCAM(model=modular.module, target_layers=[layer]) as cam:
        cam.get_target_width_height = lambda _: (modular.layer.width, modular.layer.height)
        expected = cam(images(), targets=[ClassifierOutputTarget(TARGET)] * 2)
    seen = traced(modular, images(), TARGET)
    (slope,) = seen.gradients(seen.activation)
    for ours, theirs in zip(combination(mean(slope), seen.activation).relu(), expected, strict=True):
        spread = ours.max() - ours.min()
        if spread > 0:
            assert np.allclose(((ours - ours.min()) / spread).numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize(("name", "composite"), [("guided-backprop", GuidedBackprop), ("deconvolution", DeconvNet)])
def test_zennits_rules(modular, name, composite):
    module = copy.deepcopy(modular.module)
    with Gradient(module, composite()) as attributor:
        _, expected = attributor(images(), torch.eye(10)[[TARGET] * 2])
    assert_same(METHODS[name].attribution(modular, images(), TARGET), expected)


def test_zennits_excitation_backprop(modular):
    """Without contrast, and from the tapped layer on, whose activations are not negative."""
    seen = traced_under(Excitation(modular.module, contrast=False), modular, images(), TARGET)
    (ours,) = seen.gradients(seen.activation)
    head = Head(copy.deepcopy(modular.module), modular)
    with Gradient(head, ExcitationBackprop(stabilizer=1e-12, zero_params=["bias"])) as attributor:
        _, expected = attributor(seen.activation.detach(), torch.eye(10)[[TARGET] * 2])
    assert_same(ours, expected)


class Head(nn.Sequential):
    """What follows the tapped layer of VGG, ResNet and SqueezeNet."""

    def __init__(self, module: nn.Module, network: Network) -> None:
        if network.name == "resnet18":
            parts = [module.avgpool, nn.Flatten(), module.fc]
        elif network.name == "vgg11":
            after = list(module.features)[int(network.layer.name.split(".")[1]) + 1 :]
            parts = [*after, module.avgpool, nn.Flatten(), *module.classifier]
        else:
            parts = [*module.classifier, nn.Flatten()]
        super().__init__(*parts)
