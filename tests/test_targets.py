"""What can be explained: classes, sums, places of a structured output, captions, answers, boxes."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator

from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from neuronexplain.methods import METHODS, at, probability, total

SIZE = 12
PREPROCESSING = Preprocessing(size=(SIZE, SIZE))
ANY_TARGET = [name for name in METHODS if name not in {"cam", "c-mwp"}]


def images(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(8))


def backbone() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU())


class Captioner(nn.Module):
    """Word logits (images, steps, words) of a CNN and an LSTM that is fed the words of its caption."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = backbone()
        self.lstm, self.words, self.embed = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 20), nn.Embedding(20, 8)
        self.register_buffer("caption", torch.tensor([3, 17, 5]))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = self.cnn(x).mean((2, 3))[:, None]
        said = self.embed(self.caption[:-1]).expand(len(x), -1, -1)
        return {"words": self.words(self.lstm(torch.cat([seen, said], 1))[0])}


def caption_logp(outputs: dict[str, torch.Tensor]) -> torch.Tensor:
    logp = outputs["words"].log_softmax(-1)
    return sum(logp[:, step, word] for step, word in enumerate([3, 17, 5]))


@pytest.mark.parametrize("name", ANY_TARGET)
def test_a_captions_log_probability_and_one_word_of_it(name):
    network = Network.of_any_output(Captioner().eval(), layer="cnn.4", preprocessing=PREPROCESSING)
    whole = METHODS[name].maps(network, images(), caption_logp)
    word = METHODS[name].maps(network, images(), at("words", 1, 17))
    assert whole.shape == word.shape == (2, SIZE, SIZE)
    same = METHODS[name].maps(network, images(), lambda outputs: outputs["words"][:, 1, 17])
    assert torch.equal(word, same)
    alone = METHODS[name].maps(network, images()[1:], caption_logp)
    assert torch.allclose(whole[1], alone[0], atol=1e-6)


def test_grad_cam_of_a_caption_is_the_sum_over_its_words_before_the_relu():
    network = Network.of_any_output(Captioner().eval(), layer="cnn.4", preprocessing=PREPROCESSING)
    method = METHODS["grad-cam-no-relu"]
    parts = [
        method.maps(network, images(), lambda outputs, s=step, w=word: outputs["words"].log_softmax(-1)[:, s, w])
        for step, word in enumerate([3, 17, 5])
    ]
    whole = method.maps(network, images(), caption_logp)
    assert torch.allclose(whole, sum(parts), atol=1e-7)
    assert whole.abs().max() > 0


class Answerer(nn.Module):
    """Answers of an image and a question."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn, self.words, self.answer = backbone(), nn.EmbeddingBag(9, 8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        return self.answer(self.cnn(x).mean((2, 3)) * self.words(question))


class Asked(nn.Module):
    """As the documentation of ``of_any_output`` says."""

    def __init__(self, model: nn.Module, question: torch.Tensor) -> None:
        super().__init__()
        self.model, self.question = model, question

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x, self.question.expand(len(x), -1))


@pytest.mark.parametrize("name", ANY_TARGET)
def test_an_answer_depends_on_the_question(name):
    model = Answerer().eval()
    maps = [
        METHODS[name].maps(
            Network.of_any_output(
                Asked(model, torch.tensor([question])), layer="model.cnn.4", preprocessing=PREPROCESSING
            ),
            images(),
            2,
        )
        for question in ([1, 2, 3], [4, 4, 8])
    ]
    assert not torch.allclose(*maps)


class Detector(nn.Module):
    """torchvision's detector, which takes a list of images and returns a dictionary of boxes for each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
        features.add_module("relu", nn.ReLU(inplace=True))
        features.out_channels = 8
        anchors = AnchorGenerator(sizes=((16, 32),), aspect_ratios=((1.0,),))
        self.model = FasterRCNN(
            features, 3, min_size=64, max_size=64, rpn_anchor_generator=anchors, box_roi_pool=None, box_score_thresh=0.0
        )

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return self.model(list(x))


def best_box(found: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    return torch.stack([boxes["scores"][0] for boxes in found])


@pytest.mark.parametrize("name", ["grad-cam", "guided-grad-cam", "counterfactual"])
def test_the_score_of_a_detectors_box(name):
    network = Network.of_any_output(
        Detector().eval(), layer="model.backbone.relu", preprocessing=Preprocessing(size=(64, 64))
    )
    given = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = METHODS[name].maps(network, given, best_box)
    assert found.shape == (2, 64, 64)
    assert found.abs().max() > 0


def classifier() -> Network:
    torch.manual_seed(1)
    module = nn.Sequential(backbone(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)).eval()
    return Network.from_module(module, layer="0.4", preprocessing=PREPROCESSING)


@pytest.mark.parametrize("name", ANY_TARGET)
def test_ways_to_say_a_class(name):
    network, method = classifier(), METHODS[name]
    expected = method.maps(network, images(), 3)
    for target in (torch.tensor(3), torch.tensor([3, 3]), lambda scores: scores[:, 3], at(3), total(3)):
        assert torch.equal(method.maps(network, images(), target), expected)


def test_a_sum_of_classes_and_a_probability():
    network, method = classifier(), METHODS["grad-cam-no-relu"]
    both = method.maps(network, images(), total(1, 4))
    assert torch.allclose(both, method.maps(network, images(), 1) + method.maps(network, images(), 4), atol=1e-7)
    p = network.module(images()).softmax(1).detach()
    expected = sum(
        (p[:, 2] * (float(k == 2) - p[:, k]))[:, None, None] * method.maps(network, images(), k) for k in range(5)
    )
    assert torch.allclose(method.maps(network, images(), probability(2)), expected, atol=1e-7)


def test_a_path_leads_through_lists_dictionaries_and_tensors():
    outputs = {"heads": [torch.zeros(2, 3), torch.arange(24.0).view(2, 3, 4)]}
    assert at("heads", 1, 2, 3)(outputs).tolist() == [11.0, 23.0]
    assert at(2)(torch.arange(6.0).view(2, 3)).tolist() == [2.0, 5.0]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (lambda scores: scores, r"a tensor of shape \(2, 5\)"),
        (lambda scores: scores.sum(), r"a tensor of shape \(\)"),
        (lambda scores: scores.argmax(1), r"a tensor of shape \(2,\)"),
        (lambda scores: 0.5, "float"),
    ],
)
def test_a_target_gives_one_number_for_each_image(target, found):
    with pytest.raises(NetworkError, match=rf"the target returns {found}; one number for each of 2 images is needed"):
        METHODS["grad-cam"].maps(classifier(), images(), target)


def test_a_class_of_something_without_scores_is_an_error():
    network = Network.of_any_output(Captioner().eval(), layer="cnn.4", preprocessing=PREPROCESSING)
    with pytest.raises(NetworkError, match="gives a dict; one row of scores per image"):
        METHODS["grad-cam"].maps(network, images(), 3)


def test_any_output_needs_a_layer_that_is_there():
    with pytest.raises(
        LayerNotFoundError, match=r"Captioner has no layer 'cnn\.9'; choose one of the layers with units: cnn\.4, "
    ):
        Network.of_any_output(Captioner().eval(), layer="cnn.9", preprocessing=PREPROCESSING)
