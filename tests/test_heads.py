"""Scores before any softmax are read from any output of a network, or an error says why not."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dissection.errors import NetworkError
from dissection.networks.forward import forward, forward_from
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from neuronexplain.methods import saliency, total
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import alphas

SMALL = Preprocessing((12, 12), (12, 12))


class Pair(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


class Net(nn.Module):
    """Gates its map by a sigmoid on the way, pools twice, and gives what ``end`` makes of its scores."""

    def __init__(self, end: Callable[[Tensor], object] = lambda z: z, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.conv, self.fc, self.end = nn.Conv2d(3, 6, 3), nn.Linear(6, classes), end

    def forward(self, x: Tensor) -> object:
        x = self.conv(x).relu()
        return self.end(self.fc((x * x.mean((2, 3), keepdim=True).sigmoid()).mean((2, 3))))


def of(end: Callable[[Tensor], object], classes: int = 3, **options: object) -> Network:
    return Network.from_module(Net(end, classes), preprocessing=SMALL, layer="conv", **options)


def images() -> Tensor:
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Inside(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, z: Tensor) -> Tensor:
        return self.part(z)


PLAIN = [
    ("tensor", lambda z: z),
    ("two axes more", lambda z: z[:, :, None, None]),
    ("tuple of one", lambda z: (z,)),
    ("tuple", lambda z: (z, z[0])),
    ("list", lambda z: [z.argmax(1), z]),
    ("named tuple", lambda z: Pair(z, -z)),
    ("logits", lambda z: {"hidden": z.exp(), "logits": z}),
    ("model output", lambda z: OrderedDict(loss=z.sum(), logits=z, states=(z, z))),
    ("only one", lambda z: {"features": z[:, :, None].expand(-1, -1, 5), "y": z}),
]
SOFTMAX = [
    ("function", lambda z: F.softmax(z, 1)),
    ("method", lambda z: z.softmax(-1)),
    ("log", lambda z: F.log_softmax(z, 1)),
    ("log of it", lambda z: torch.log(z.softmax(1))),
    ("module", nn.Softmax(1)),
    ("in a module", Inside(nn.LogSoftmax(1))),
    ("shaped after", lambda z: z[:, :, None, None].softmax(1).flatten(1)),
    ("in a mapping", lambda z: {"probabilities": z.softmax(1)}),
    ("before another", lambda z: {"logits": z.softmax(1), "other": (2 * z).softmax(1)}),
]


@pytest.mark.parametrize("end", [end for _, end in PLAIN + SOFTMAX], ids=[name for name, _ in PLAIN + SOFTMAX])
def test_the_scores_are_the_same_however_they_are_given(end: Callable[[Tensor], object]) -> None:
    plain, network = of(lambda z: z), of(end)
    wanted, found = forward(plain, images()), forward(network, images())
    torch.testing.assert_close(found.scores, wanted.scores)
    torch.testing.assert_close(
        alphas(found.scores[:, 2], found.activation), alphas(wanted.scores[:, 2], wanted.activation)
    )
    assert network.classes == ("class 0", "class 1", "class 2")
    torch.testing.assert_close(network.head.probabilities(found.scores), wanted.scores.softmax(1))
    assert has_constant_alphas(network) == has_constant_alphas(plain)
    assert not any(part._forward_hooks for part in network.module.modules())


@pytest.mark.parametrize("end", [torch.sigmoid, Tensor.sigmoid_, F.logsigmoid, nn.Sigmoid()])
def test_classes_with_a_sigmoid_each(end: Callable[[Tensor], Tensor]) -> None:
    network, wanted = of(end), forward(of(lambda z: z), images()).scores
    scores = forward(network, images()).scores
    torch.testing.assert_close(scores, wanted)
    torch.testing.assert_close(network.head.probabilities(scores), wanted.sigmoid())


def test_classes_can_be_said_to_be_independent() -> None:
    network = of(lambda z: z, multi_label=True)
    scores = forward(network, images()).scores
    torch.testing.assert_close(network.head.probabilities(scores), scores.sigmoid())


@pytest.mark.parametrize("end", [lambda z: z, torch.sigmoid])
def test_one_score_is_two_classes(end: Callable[[Tensor], Tensor]) -> None:
    network = of(end, classes=1)
    result, one = forward(network, images()), Net(classes=1)(images())
    torch.testing.assert_close(result.scores, torch.cat([-one, one], 1))
    torch.testing.assert_close(network.head.probabilities(result.scores).sum(1), torch.ones(4))
    torch.testing.assert_close(network.head.probabilities(result.scores)[:, 1:], one.sigmoid())
    no, yes = (alphas(result.scores[:, index], result.activation) for index in (0, 1))
    torch.testing.assert_close(no, -yes)
    assert network.classes == ("class 0", "class 1")


def test_the_labels_of_one_score() -> None:
    def labelled(*labels: str) -> tuple[str, ...]:
        return Network.from_module(Net(classes=1), preprocessing=SMALL, classes=labels).classes

    assert labelled("cat") == ("no cat", "cat")
    assert labelled("dog", "cat") == ("dog", "cat")
    with pytest.raises(NetworkError, match="has 2 classes, but 3 labels"):
        labelled("a", "b", "c")


def test_an_output_can_be_named() -> None:
    two = {"species": lambda z: z, "colour": lambda z: -z}
    network = of(lambda z: {name: make(z) for name, make in two.items()}, output="colour")
    torch.testing.assert_close(forward(network, images()).scores, -forward(of(lambda z: z), images()).scores)
    assert forward(of(lambda z: (z, 2 * z), output="1"), images()).scores.shape == (4, 3)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda z: (z, z + 1), r"gives 2 outputs \(0: float32 .*, 1: float32.*say with --output which"),
        (lambda z: {"a": z, "b": z + 1}, r"gives 2 outputs \(a: .*, b: .*say with --output"),
        (lambda z: {"a": z[0]}, r"gives 1 outputs \(a: float32 of shape \(3,\)\); one row of scores"),
        (lambda z: z[0], r"gives float32 of shape \(3,\) for one image; one row of scores"),
        (lambda z: z[:, :, None, None].expand(-1, -1, 2, 2), r"shape \(1, 3, 2, 2\)"),
        (lambda z: z.argmax(1, keepdim=True), r"gives int64 of shape \(1, 1\)"),
        (lambda z: "cat", "gives a str"),
        (lambda z: (z.softmax(1) + (2 * z).softmax(1)) / 2, "no softmax at its end is seen"),
        (lambda z: z.softmax(1).clamp(1e-6).log(), "no softmax at its end is seen"),
        (lambda z: z.softmax(1)[:, :2], "gives 2 of 3 numbers that a softmax makes"),
    ],
)
def test_what_is_no_scores(end: Callable[[Tensor], object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        of(end)


def test_no_such_output() -> None:
    with pytest.raises(NetworkError, match=r"no scores called 'b'; it gives 1 outputs \(a: float32"):
        of(lambda z: {"a": z}, output="b")


def test_what_changes_the_scores_is_in_the_fingerprint() -> None:
    ends = [lambda z: z, lambda z: z.softmax(1), lambda z: z.log_softmax(1), lambda z: {"y": z}]
    assert len({of(end).fingerprint for end in ends}) == len(ends)
    assert of(lambda z: z, multi_label=True).fingerprint != of(lambda z: z).fingerprint


def test_maps_of_no_image_go_through_the_head_too() -> None:
    network = of(lambda z: z.log_softmax(1))
    result = forward(network, images())
    torch.testing.assert_close(forward_from(network, result.activation.detach()).scores, result.scores)


def test_callables_are_given_the_scores() -> None:
    plain, network = of(lambda z: z), of(lambda z: {"p": z.softmax(1)})
    found, wanted = (saliency(each, images(), total(0, 2)) for each in (network, plain))
    torch.testing.assert_close(found, wanted)
