"""Trains an answerer of Lu et al.'s plan on easy-VQA, and measures what Grad-CAM shows of it.

Needs the package easy-vqa. ``train`` writes answerer.safetensors beside this file, and answerer.py:answerer opens it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from accuracy import report_accuracy
from answerer import WEIGHTS, Answerer, as_network
from labels import write_labels
from pointing import report_pointing
from questions import read_part
from training import Training, train

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console
from neuronexplain.cli.evaluate.measuring import INTERVAL, say_report
from neuronexplain.cli.failures import tell

UNTRAINED = 3
"""Answerers that have learnt nothing, whose maps are a control."""


def main() -> int:
    """Run the command; the exit status."""
    commands = {"train": _train, "measure": _measure, "label": _label}
    options = _parser().parse_args()
    try:
        commands[options.command](options)
    except NeuronExplainError as error:
        return tell(error)
    except KeyboardInterrupt:
        console.note("stopped; nothing has been written")
        return 130
    return 0


def _train(options: argparse.Namespace) -> None:
    """Train, write the weights, and say how many questions of the test part are answered rightly."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    learnt_from = read_part("train", pictures=options.pictures)
    started = time.monotonic()

    def report_epoch(epoch: int, loss: float, share: float) -> None:
        seconds = time.monotonic() - started
        print(f"epoch {epoch:2d}: loss {loss:.4f}, {share:.2%} of the held-out right, {seconds:.0f} s", flush=True)

    with console.passing_progress() as progress:
        how = Training(epochs=options.epochs, seed=options.seed)
        answerer = train(learnt_from, how, report=report_epoch, progress=progress)
    answerer.save(options.weights)
    say_report(report_accuracy(answerer, learnt_from, read_part("test")), INTERVAL)


def _measure(options: argparse.Namespace) -> None:
    """Say where the maps of the answers to the test questions are strongest."""
    answerer = Answerer.load(options.weights)
    torch.manual_seed(0)
    untrained = [as_network(Answerer(answerer.words, answerer.answers).eval()) for _ in range(UNTRAINED)]
    data = read_part("test", pictures=options.pictures)
    with console.progress() as progress:
        report = report_pointing(as_network(answerer), untrained, data, progress=progress)
    say_report(report, INTERVAL)


def _label(options: argparse.Namespace) -> None:
    """Write pictures of the training part as concept data."""
    with console.progress() as progress:
        write_labels(options.out, read_part("train", pictures=options.pictures), progress=progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("train", _train), ("measure", _measure), ("label", _label)):
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.add_argument("--pictures", type=_positive, help="take only the first pictures; by default all")
        if name == "label":
            command.add_argument("--out", type=Path, required=True, help="the folder to make")
        else:
            command.add_argument("--weights", type=Path, default=WEIGHTS, help="the file of the weights")
        if name == "train":
            command.add_argument("--epochs", type=_positive, default=Training().epochs)
            command.add_argument("--seed", type=int, default=Training().seed)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
