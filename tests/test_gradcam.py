"""Grad-CAM against the equations written out, against finite differences, and against captum and grad-cam."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision import models
from worlds import HEAD, colour_network, default_layer

from dissection.errors import LayerNotFoundError, NetworkError, NotConnectedError
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.tap import Tap
from dissection.vocabulary import Layer
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import alphas, contributions, enlarge, heatmap
from neuronexplain.methods.targets import of_class

SIZE = 64


def random_network(name: str) -> Network:
    torch.manual_seed(0)
    module = models.get_model(name, weights=None, num_classes=10).eval()
    size = (SIZE, SIZE) if name != "vgg16" else (96, 96)
    return Network(module, name, default_layer(module, size), Preprocessing(size=size), tuple("abcdefghij"))


def toy(head: nn.Module | None = None) -> Network:
    """Two convolutions and a head with a hidden layer, in float64."""
    torch.manual_seed(1)
    head = head or nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 5), nn.ReLU(), nn.Linear(5, 2))
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True), head).double().eval()
    return Network(module, "toy", Layer("1", 3, 4, 4), Preprocessing(size=(4, 4)), ("a", "b"))


def test_alphas_are_mean_finite_differences():
    network = toy()
    image = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    result = forward(network, image)
    found = alphas(result.scores[:, 1], result.activation)[0]
    head = network.module[2]
    step = 1e-6
    for unit in range(3):
        slopes = []
        for i in range(4):
            for j in range(4):
                up, down = result.activation.detach().clone(), result.activation.detach().clone()
                up[0, unit, i, j] += step
                down[0, unit, i, j] -= step
                slopes.append(((head(up) - head(down))[0, 1] / (2 * step)).item())
        assert found[unit].item() == pytest.approx(sum(slopes) / 16, abs=1e-8)


def test_alphas_of_a_batch_are_each_images_own():
    network = toy()
    images = torch.randn(4, 3, 4, 4, dtype=torch.float64)
    result = forward(network, images)
    classes = torch.tensor([0, 1, 1, 0])
    together = alphas(of_class(result.scores, classes), result.activation)
    for index in range(4):
        alone = forward(network, images[index : index + 1])
        assert torch.allclose(alphas(alone.scores[:, classes[index]], alone.activation)[0], together[index])


def test_heatmap_and_contributions_equal_loops():
    alpha, activation = torch.randn(2, 3, dtype=torch.float64), torch.rand(2, 3, 4, 5, dtype=torch.float64)
    heat, share = heatmap(alpha, activation), contributions(alpha, activation)
    for n in range(2):
        for i in range(4):
            for j in range(5):
                total = sum(alpha[n, k].item() * activation[n, k, i, j].item() for k in range(3))
                assert heat[n, i, j].item() == pytest.approx(max(total, 0))
        for k in range(3):
            assert share[n, k].item() == pytest.approx(alpha[n, k].item() * np.mean(activation[n, k].numpy()))


def test_hand_set_alphas_of_the_colour_network():
    network = colour_network()
    image = torch.zeros(1, 3, 32, 32)
    image[0, 0, :16] = 1
    result = forward(network, image)
    found = alphas(result.scores[:, 0], result.activation)[0]
    means = [0.5, 0, 0, 0]
    expected = [HEAD[0][k] * 2 * (1 + means[k]) / 1024 for k in range(4)]
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "squeezenet1_1"])
def test_equals_captum_and_pytorch_grad_cam(name):
    network = random_network(name)
    module, layer = network.module, network.module.get_submodule(network.layer.name)
    images = torch.randn(2, 3, *network.preprocessing.size, generator=torch.Generator().manual_seed(3))
    result = forward(network, images)
    target = int(result.scores[0].argmax())
    alpha = alphas(result.scores[:, target], result.activation)
    heat = heatmap(alpha, result.activation)
    theirs = LayerGradCam(module, layer).attribute(images, target=target, relu_attributions=True)[:, 0]
    scale = theirs.abs().max()
    assert scale > 0
    assert torch.allclose(heat / scale, theirs.detach() / scale, atol=1e-5)
    with GradCAM(model=module, target_layers=[layer]) as cam:
        weights = cam.get_cam_weights
        seen = {}

        def keep(*args):
            seen["weights"] = weights(*args)
            return seen["weights"]

        cam.get_cam_weights = keep
        drawn = cam(images, targets=[ClassifierOutputTarget(target)] * 2)
    assert np.allclose(
        alpha.numpy() / np.abs(seen["weights"]).max(), seen["weights"] / np.abs(seen["weights"]).max(), atol=1e-5
    )
    ours = enlarge(heat, network.preprocessing.size).numpy()
    for mine, other in zip(ours, drawn, strict=True):
        spread = mine.max() - mine.min()
        if spread:
            assert np.abs((mine - mine.min()) / spread - other).max() < 0.05


def test_cam_is_grad_cam_where_pooling_and_a_linear_layer_follow():
    network = random_network("resnet18")
    result = forward(network, torch.randn(2, 3, SIZE, SIZE))
    cells = network.layer.height * network.layer.width
    expected = network.module.fc.weight[4].detach() / cells
    assert torch.allclose(alphas(result.scores[:, 4], result.activation), expected.expand(2, -1), atol=1e-7)


def test_a_functional_relu_after_the_layer_is_part_of_the_map():
    network = random_network("densenet121")
    assert network.layer.rectifier == "relu"
    result = forward(network, torch.randn(1, 3, SIZE, SIZE))
    assert result.activation.min() >= 0
    cells = network.layer.height * network.layer.width
    expected = network.module.classifier.weight[4].detach() / cells
    assert torch.allclose(alphas(result.scores[:, 4], result.activation)[0], expected, atol=1e-7)


@pytest.mark.parametrize(("name", "constant"), [("resnet18", True), ("squeezenet1_1", False), ("vgg11", False)])
def test_constant_alphas_are_found(name, constant):
    assert has_constant_alphas(random_network(name)) is constant


def test_in_place_relu_does_not_reach_the_tapped_map():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    network = Network(module, "net", Layer("0", 4, 6, 6), Preprocessing(size=(8, 8)), ("a", "b"))
    images = torch.randn(2, 3, 8, 8)
    result = forward(network, images)
    assert torch.equal(result.activation.detach(), module[0](images).detach())
    assert (result.activation < 0).any()


def state(module: nn.Module) -> list:
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks), part.training) for part in module.modules()]
    grads = [parameter.grad for parameter in module.parameters()]
    return [hooks, grads, torch.is_grad_enabled()]


def test_the_network_is_left_as_it_was():
    network = toy()
    network.module.train()
    network.module[1].eval()
    before = state(network.module)
    weights = [tensor.clone() for tensor in network.module.state_dict().values()]
    result = forward(network, torch.randn(2, 3, 4, 4, dtype=torch.float64))
    alphas(result.scores[:, 0], result.activation)
    assert state(network.module) == before
    assert all(torch.equal(a, b) for a, b in zip(weights, network.module.state_dict().values(), strict=True))


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("on purpose")


def test_the_network_is_left_as_it_was_after_an_exception():
    network = toy(Broken())
    network.module.train()
    before = state(network.module)
    with pytest.raises(RuntimeError, match="on purpose"):
        forward(network, torch.randn(2, 3, 4, 4, dtype=torch.float64))
    assert state(network.module) == before


class Ignores(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 2, dtype=torch.float64)


def test_a_score_that_does_not_depend_on_the_layer_is_an_error():
    result = forward(toy(Ignores()), torch.randn(2, 3, 4, 4, dtype=torch.float64))
    with pytest.raises(NotConnectedError, match="does not depend"):
        alphas(result.scores[:, 0], result.activation)


def test_a_layer_that_runs_twice_is_an_error():
    relu = nn.ReLU()
    module = nn.Sequential(nn.Conv2d(3, 3, 1), relu, relu, nn.Flatten(), nn.Linear(48, 2)).eval()
    network = Network(module, "twice", Layer("1", 3, 4, 4), Preprocessing(size=(4, 4)), ("a", "b"))
    with pytest.raises(LayerNotFoundError, match="more than once"):
        forward(network, torch.randn(1, 3, 4, 4))


def test_scores_of_another_shape_are_an_error():
    with pytest.raises(NetworkError, match="one row of scores per image"):
        forward(toy(nn.Identity()), torch.randn(1, 3, 4, 4, dtype=torch.float64))


def test_tap_outside_of_a_pass_says_so():
    network = toy()
    with Tap(network.module, network.layer) as tap, pytest.raises(LayerNotFoundError, match="did not run"):
        _ = tap.output
