"""Section 8 of the paper, repeated: other plans of captioners and answerers, and captions of photographs."""

import csv
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from worlds import PLAIN

from dissection.execution.settings import Execution
from dissection.networks.network import Network
from dissection.scenes.described.networks import encode

SCRIPTS = Path(__file__).parents[1] / "scripts" / "reproduce"


@pytest.fixture
def script(monkeypatch):
    """Imports a module of the script."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield import_module
    for path in SCRIPTS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_co_attention_is_that_of_its_equations(script):
    """Lu et al. 2016, Eq. 3 to 6, word by word and place by place; padding is not looked at."""
    torch.manual_seed(0)
    attention = script("residual").CoAttention().double()
    places, parts = torch.randn(1, 6, 128).double(), torch.randn(1, 4, 128).double()
    is_word = torch.tensor([[False, True, True, True]])
    with torch.no_grad():
        attended = attention(places, parts, is_word)[0].numpy()
    w_b, w_v, w_q, w_hv, w_hq = (
        layer.weight.detach().numpy()
        for layer in (
            attention.affinity, attention.image, attention.question, attention.of_image, attention.of_question
        )
    )  # fmt: skip
    image, question = places[0].numpy().T, parts[0].numpy().T  # columns are places and words, as in the paper
    affinity = np.tanh(question.T @ w_b @ image)
    of_image = np.tanh(w_v @ image + (w_q @ question) @ affinity)
    of_question = np.tanh(w_q @ question + (w_v @ image) @ affinity.T)
    looks, reads = np.exp(w_hv @ of_image)[0], np.exp(w_hq @ of_question)[0] * is_word[0].numpy()
    expected = image @ (looks / looks.sum()) + question @ (reads / reads.sum())
    np.testing.assert_allclose(attended, expected, rtol=1e-9)


def test_co_attention_answers_each_question_alike_whatever_else_is_asked(script):
    residual = script("residual")
    torch.manual_seed(0)
    module = residual.Hierarchical(residual.pooling_sight(residual.residual_features())).eval()
    asked = torch.cat([encode("where is it?"), encode("what colour is the car?")])
    maps = torch.randn(2, 96, 7, 7)
    with torch.no_grad():
        both = module.answering(maps, asked)
        alone = [module.answering(maps[place : place + 1], asked[place : place + 1]) for place in range(2)]
    torch.testing.assert_close(both, torch.cat(alone))
    assert not torch.allclose(both[0], both[1])


def test_every_table_of_section_8_is_made_and_resumed(script, tmp_path, monkeypatch):
    speech = script("speech")
    monkeypatch.setattr(script("talkers"), "STAGES", ("sees.features.4",))
    monkeypatch.setattr(speech, "THREE", speech.THREE[:1])
    said, skipped = [], []
    size = speech.SpeechSize(scenes=(2, 1), learnt=24, epochs=1, photographs=False)
    tables = list(speech.Speech(tmp_path, size, Execution(), said.append, skipped.append).tables())
    assert len({table.world for table in tables}) == 5
    counts = {name: sum(table.protocol == name for table in tables) for name in {table.protocol for table in tables}}
    assert counts == {
        **dict.fromkeys(("caption-accuracy", "caption-debts", "caption-pointing", "caption-ratio"), 3),
        **dict.fromkeys(("answer-accuracy", "answer-pointing", "answer-occlusion"), 2),
    }
    assert skipped == [speech.NO_GAZES]
    trained = len(said)
    assert trained > 0
    again = list(speech.Speech(tmp_path, size, Execution(), said.append, skipped.append).tables())
    assert len(said) == trained
    assert [table.report.to_json() for table in again] == [table.report.to_json() for table in tables]


class Eyes(nn.Module):
    """A classifier of a kind: 512 units, each a mix of the colours."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 512, 1), nn.ReLU())

    def forward(self, images):
        return self.features(images).mean((2, 3))[:, :4]


@pytest.fixture
def photographs(tmp_path):
    """Red and blue photographs with captions, in the layout of Flickr8k's."""
    (tmp_path / "images").mkdir()
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "caption"])
        for number in range(12):
            colour = ("red", "blue")[number % 2]
            Image.new("RGB", (8, 8), colour).save(tmp_path / "images" / f"{number}.png")
            rows.writerows([[f"{number}.png", f"A {colour} square ."], [f"{number}.png", f"The square is {colour} ."]])
    return tmp_path


def test_a_captioner_of_photographs_learns_to_look_and_a_shuffled_one_does_not(script, photographs):
    module = script("photographs")
    classifier = Network.from_module(Eyes(), layer="features.1", preprocessing=PLAIN, classes=list("abcd"))
    pictures = module.flickr(photographs)
    seen = module.Photographs.seen(classifier, pictures * 8)
    assert seen.vectors.shape == (96, 512)
    assert len(seen.without([0, 5]).captions) == 94
    of_colour = {}
    for shuffled in (False, True):
        network = module.captioner(classifier, seen, shuffled=shuffled, progress=lambda _: None)
        judge = network.saying("a red square zebra")
        assert judge.classes == ("a", "red", "square", "<unknown>")
        images = torch.stack([PLAIN.tensor(PLAIN.frame(picture)) for picture, _ in pictures[:2]])
        red, blue = judge.module(images)[:, 1].tolist()
        of_colour[shuffled] = red - blue
    assert of_colour[False] > 2
    assert abs(of_colour[True]) < 1
