"""A captioner and an answerer over the network of colours, which say what is hand-made into them."""

from __future__ import annotations

import torch
from torch import nn
from worlds import PLAIN, ColourNet

from dissection.networks.network import Network

WORDS = ("a", "red", "green", "blue", "yellow", "square", "of", "light")
COLOURS = WORDS[1:5]
ANSWERS = (*COLOURS, "yes", "no")
QUESTIONS = ("what colour is it ?", "is it a square ?")
SURE = 6.0
"""Log-odds, or near, of a word that is said whatever the picture."""


class Trunk(nn.Module):
    """The part of the network of colours that sees."""

    def __init__(self) -> None:
        super().__init__()
        seeing = ColourNet()
        self.detect, self.rectify = seeing.detect, seeing.rectify

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.rectify(self.detect(images))


class Captioner(nn.Module):
    """Says "a red square", "a blue square" and so on: the colour is read from the picture, the other words are not."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.colours = nn.Parameter(30 * torch.eye(4))
        self.habits = nn.Parameter(torch.zeros(len(WORDS), len(WORDS)))
        with torch.no_grad():
            self.habits[WORDS.index("a"), 1:5] = SURE
            self.habits[1:5, WORDS.index("square")] = SURE

    def logits(self, images: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        seen = (1 + self.trunk(images).mean((2, 3))) ** 2 @ self.colours
        first = torch.zeros(len(WORDS))
        first[WORDS.index("a")] = SURE
        habits = torch.cat([first[None], self.habits[tokens[:-1]]])
        colours = nn.functional.pad(seen, (1, len(WORDS) - 5))[:, None]
        is_colour_due = torch.cat([torch.tensor([False]), tokens[:-1] == WORDS.index("a")])[:, None]
        return habits + colours * is_colour_due


def log_probabilities(captioner: Captioner, images: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return captioner.logits(images, tokens).log_softmax(-1)


def generate(captioner: Captioner, images: torch.Tensor) -> list[list[int]]:
    captions = []
    for image in images:
        said: list[int] = []
        for _ in range(3):
            logits = captioner.logits(image[None], torch.tensor([*said, 0]))
            said.append(int(logits[0, -1].argmax()))
        captions.append(said)
    return captions


class Answerer(nn.Module):
    """Answers what colour the picture is, and that it shows a square, whatever it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.colours = nn.Parameter(30 * torch.eye(4))

    def forward(self, images: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        seen = (1 + self.trunk(images).mean((2, 3))) ** 2 @ self.colours
        asks_colour = question[:, :1]
        yes = torch.tensor([SURE, 0.0]).expand(len(images), 2)
        return torch.cat([asks_colour * seen, (1 - asks_colour) * yes], 1)


class AnswerWriter(Captioner):
    """Writes "red light" and so on where it is asked for the colour, and what the captioner says of all else."""

    def answer_logits(self, images: torch.Tensor, question: str, tokens: torch.Tensor) -> torch.Tensor:
        if question != QUESTIONS[0]:
            return self.logits(images, tokens)
        seen = (1 + self.trunk(images).mean((2, 3))) ** 2 @ self.colours
        colours = nn.functional.pad(seen, (1, len(WORDS) - 5))[:, None]
        light = torch.zeros(len(images), len(tokens) - 1, len(WORDS))
        light[:, :, WORDS.index("light")] = SURE
        return torch.cat([colours, light], 1)


def write_answers(writer: AnswerWriter, images: torch.Tensor, question: str) -> list[list[int]]:
    if question != QUESTIONS[0]:
        return generate(writer, images)
    return writer.answer_logits(images, question, torch.zeros(2, dtype=torch.long)).argmax(2).tolist()


def encode(question: str) -> torch.Tensor:
    return torch.tensor([[float(question == QUESTIONS[0])]])


def captioner(module: Captioner | None = None) -> Network:
    return Network.of_captions(
        module or Captioner(),
        layer="trunk.rectify",
        generate=generate,
        log_probabilities=log_probabilities,
        tokenizer=WORDS,
        preprocessing=PLAIN,
    )


def answerer(module: Answerer | None = None) -> Network:
    return Network.of_answers(
        module or Answerer(),
        layer="trunk.rectify",
        encode=encode,
        answers=ANSWERS,
        question=QUESTIONS[0],
        preprocessing=PLAIN,
    )


def answer_writer(module: AnswerWriter | None = None) -> Network:
    return Network.of_written_answers(
        module or AnswerWriter(),
        layer="trunk.rectify",
        generate=write_answers,
        log_probabilities=AnswerWriter.answer_logits,
        tokenizer=WORDS,
        preprocessing=PLAIN,
    )
