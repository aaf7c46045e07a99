"""Networks that are read feature by feature: nothing changes but what is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from superposed import DIRECTIONS, mixed_network, unmixing
from torch import nn
from torch.nn import functional as F
from worlds import PLAIN, colour_concepts, colour_network, colour_square

from dissection.dissect import dissect
from dissection.errors import NetworkError
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.forward import forward, forward_from, maps_through
from dissection.networks.network import Network
from dissection.networks.reruns import Reruns
from dissection.vocabulary import Layer
from neuronexplain.control import with_shuffled_weights
from neuronexplain.explainer import Explainer
from neuronexplain.methods import METHODS
from neuronexplain.methods.gradcam import heatmap, mean
from neuronexplain.vocabulary import Rules

ACTIVATIONS = ("relu", "topk", "signed-topk", "jumprelu")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_dictionary(units: int, features: int, activation: str = "relu", k: int = 2) -> Dictionary:
    """A dictionary that nothing has been learned from: its residual is great."""
    thresholds = noise(features, seed=4).abs() / 4 if activation == "jumprelu" else None
    return Dictionary(
        noise(units, features, seed=1),
        noise(features, seed=2) / 4,
        noise(features, units, seed=3),
        noise(units, seed=5),
        activation,
        k if "topk" in activation else 0,
        thresholds,
    )


def slow_code(dictionary: Dictionary, cell: list[float]) -> list[float]:
    """The features of one cell, from their definition."""
    encoder, bias = dictionary.encoder.tolist(), dictionary.bias.tolist()
    code = [
        sum(value * encoder[unit][feature] for unit, value in enumerate(cell)) + bias[feature]
        for feature in range(dictionary.features)
    ]
    if dictionary.activation == "jumprelu":
        return [
            value if value > max(threshold, 0) else 0.0
            for value, threshold in zip(code, dictionary.thresholds.tolist(), strict=True)
        ]
    if dictionary.activation != "signed-topk":
        code = [max(value, 0.0) for value in code]
    if dictionary.activation == "relu":
        return code
    kept = sorted(range(len(code)), key=lambda feature: -code[feature])[: dictionary.k]
    return [value if feature in kept else 0.0 for feature, value in enumerate(code)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_codes_are_those_of_the_definition(activation):
    dictionary, maps = random_dictionary(3, 5, activation), noise(2, 3, 2, 2)
    codes, decoded = dictionary.encode(maps), dictionary.decode(dictionary.encode(maps))
    for image in range(2):
        for row in range(2):
            for column in range(2):
                code = slow_code(dictionary, maps[image, :, row, column].tolist())
                assert codes[image, :, row, column].tolist() == pytest.approx(code, abs=1e-6)
                expected = torch.tensor(code) @ dictionary.decoder + dictionary.offset
                torch.testing.assert_close(decoded[image, :, row, column], expected, atol=1e-5, rtol=0)


class Tokens(nn.Module):
    """A class token and 16 patches with channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 8, 8)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = self.norm(torch.cat([x.mean(1, keepdim=True), x], 1))
        return self.head(x.tanh().mean(1))


class RectifiedByCall(nn.Module):
    """Calls a function that rectifies what its layer gives, as DenseNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 8, 8)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.conv(x), inplace=True).square().mean((2, 3)))


def opened(module: nn.Module, **options) -> Network:
    return Network.from_module(module.eval(), preprocessing=PLAIN, **options)


NETWORKS = {
    "in place": colour_network,
    "tokens": lambda: opened(Tokens(), layer="norm"),
    "by a call": lambda: opened(RectifiedByCall()),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_answers_and_alphas_are_those_without_a_dictionary(kind, activation):
    torch.manual_seed(0)
    network = NETWORKS[kind]()
    dictionary = random_dictionary(network.layer.units, 9, activation)
    read, images = with_dictionary(network, dictionary), noise(3, 3, 32, 32)
    before = forward(network, images)
    noted = Reruns(read).forward(images)
    after = noted.result
    torch.testing.assert_close(after.scores, before.scores, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(after.whole, before.activation, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(after.activation, dictionary.encode(before.activation.detach()))
    (slope,) = torch.autograd.grad(before.scores[:, 1].sum(), [before.activation])
    of_features, of_whole = torch.autograd.grad(after.scores[:, 1].sum(), [after.activation, after.whole])
    torch.testing.assert_close(of_whole, slope, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        of_features, torch.einsum("nuhw,fu->nfhw", slope, dictionary.decoder), atol=1e-6, rtol=1e-5
    )
    # without some features, the map lacks just their part
    silent = after.activation.detach().clone()
    silent[:, :4] = 0
    lacking = before.activation.detach() - dictionary.decode(after.activation.detach()) + dictionary.decode(silent)
    expected = forward_from(network, lacking, images).scores
    torch.testing.assert_close(Reruns(read).scores(noted, silent), expected.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(forward_from(read, silent, images).scores, expected, atol=1e-5, rtol=1e-5)


def test_gradients_of_pixels_are_those_without_a_dictionary():
    network = colour_network()
    read = with_dictionary(network, random_dictionary(4, 9))
    for name in ("grad-cam", "guided-backprop", "gradient", "occlusion"):
        maps = [METHODS[name].maps(each, noise(2, 3, 32, 32).abs(), 1) for each in (network, read)]
        torch.testing.assert_close(*maps, atol=1e-6, rtol=1e-5)


def test_a_network_stays_as_it_was():
    network = colour_network()
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    read = with_dictionary(network, random_dictionary(4, 9))
    forward(read, noise(1, 3, 32, 32))
    assert not any(part._forward_hooks for part in network.module.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.module.state_dict().items())
    assert read.plain.fingerprint == network.fingerprint
    assert read.plain.module is network.module
    assert read.at("rectify").layer == network.layer


def test_whatever_changes_the_features_changes_the_fingerprint():
    network, dictionary = colour_network(), random_dictionary(4, 9, "topk")
    others = [
        dictionary,
        replace(dictionary, k=3),
        replace(dictionary, activation="relu", k=0),
        replace(dictionary, activation="signed-topk"),
        replace(dictionary, encoder=dictionary.encoder + 1),
        replace(dictionary, activation="jumprelu", k=0, thresholds=torch.zeros(9)),
    ]
    read = [with_dictionary(network, other) for other in others]
    assert len({each.fingerprint for each in (network, *read)}) == len(others) + 1
    assert len({each.body_fingerprint for each in (network, *read)}) == len(others) + 1
    assert len({other.digest for other in others}) == len(others)
    told = with_dictionary(network, replace(dictionary, learned="by whomever", folder="/somewhere"))
    assert (told.fingerprint, told.body_fingerprint) == (read[0].fingerprint, read[0].body_fingerprint)
    assert with_dictionary(read[1], dictionary).fingerprint == read[0].fingerprint


def test_a_copy_and_its_shuffled_weights_have_a_dictionary_of_their_own():
    read = with_dictionary(colour_network(), random_dictionary(4, 9))
    fingerprint = read.fingerprint
    shuffled = with_shuffled_weights(read)
    assert not torch.equal(shuffled.module.features.encoder, read.module.features.encoder)
    assert not torch.equal(shuffled.plain.module.head.weight, read.plain.module.head.weight)
    assert replace(read).fingerprint == fingerprint


def test_half_precision_is_widened_for_the_features():
    network = opened(RectifiedByCall().to(torch.bfloat16))
    read, images = with_dictionary(network, random_dictionary(6, 9)), noise(2, 3, 32, 32)
    after = maps_through(read, [read.layer], images)
    assert after.activation.dtype == torch.float32
    torch.testing.assert_close(forward(read, images).scores, forward(network, images).scores, atol=0.02, rtol=0.02)


def test_what_does_not_fit_is_refused():
    network = colour_network()
    with pytest.raises(NetworkError, match="of 5 units, and layer 'rectify' of ColourNet has 4"):
        with_dictionary(network, random_dictionary(5, 9))
    with pytest.raises(NetworkError, match="cannot be put together"):
        with_dictionary(network, replace(random_dictionary(4, 9), decoder=1e12 * noise(9, 4)))
    with pytest.raises(NetworkError, match=r"the bias .* is of shape \(8,\); \(9,\) is needed"):
        replace(random_dictionary(4, 9), bias=noise(8))
    with pytest.raises(NetworkError, match="keeps 10 of 9 features"):
        replace(random_dictionary(4, 9, "topk"), k=10)
    with pytest.raises(NetworkError, match="has no thresholds"):
        replace(random_dictionary(4, 9), activation="jumprelu")


def test_four_colours_in_three_units_are_taken_apart():
    assert torch.linalg.matrix_rank(DIRECTIONS) == 3 < len(DIRECTIONS)
    concepts = colour_concepts()
    of_units = dissect(mixed_network(), concepts)
    assert max(name.iou for name in of_units.names().values()) < 0.7  # each responds to yellow as well
    of_features = dissect(with_dictionary(mixed_network(), unmixing()), concepts)
    names = {name.unit: (name.concept.spoken, name.iou) for name in of_features.names().values()}
    assert names == {0: ("red", 1.0), 1: ("green", 1.0), 2: ("blue", 1.0), 3: ("yellow", 1.0)}
    assert of_features.layer == Layer("dictionary at rectify", 4, 32, 32)
    assert (of_features.layer.noun, of_features.layer.module) == ("feature", "rectify")


def explained(network: Network, **rules):
    units = dissect(network, colour_concepts()).units
    explainer = Explainer(network, units, constant_alpha=False, rules=Rules(among="named", **rules))
    return next(explainer.explain([("sun.png", colour_square("yellow"))]))


def test_an_explanation_speaks_of_features_and_keeps_the_heat_map_of_units():
    network = mixed_network()
    of_units, of_features = explained(network), explained(with_dictionary(network, unmixing()))
    torch.testing.assert_close(torch.tensor(of_features.heatmap), torch.tensor(of_units.heatmap), atol=1e-6, rtol=1e-5)
    assert "feature for yellow" in of_features.sentence
    assert "neuron" not in of_features.sentence
    assert (of_units.noun, of_features.noun) == ("neuron", "feature")
    assert of_units.left_over is None
    assert {unit.name.concept.spoken for unit in of_features.top if unit.lit} == {"yellow"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_left_over_is_what_the_residual_does_to_the_score(activation):
    network = mixed_network()
    dictionary = replace(random_dictionary(3, 7, activation), decoder=noise(7, 3, seed=3) / 4)
    answer = explained(with_dictionary(network, dictionary))
    image = PLAIN.tensor(PLAIN.frame(colour_square("yellow")))[None]
    before = forward(network, image)
    (slope,) = torch.autograd.grad(before.scores[0, answer.target.index], [before.activation])
    maps = before.activation.detach()
    residual = maps - dictionary.decode(dictionary.encode(maps))
    assert answer.left_over.effect == pytest.approx(float((slope * residual).sum()), rel=1e-4)
    assert answer.left_over.total == pytest.approx(float((slope * maps).sum()), rel=1e-4)
    heat = heatmap(mean(slope), maps)[0]
    torch.testing.assert_close(torch.tensor(answer.heatmap), heat, atol=1e-6, rtol=1e-5)
