"""The captioner and the answerer of described scenes, which come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.scenes.classifier import INPUT_SIZE, MEAN, STD
from dissection.scenes.described import networks
from dissection.scenes.described.language import ANSWERS, known_questions

from .spec import ANSWERER, CAPTIONER, NetworkSpec, load

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.weights import WeightsFile

_PREPROCESSING = Preprocessing((INPUT_SIZE, INPUT_SIZE), (INPUT_SIZE, INPUT_SIZE), MEAN, STD)


def open_captioner(weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The captioner; with the weights that come with it unless a file is given.

    Raises:
        WeightsError: if the file cannot be read or does not fit.
    """
    module = load(networks.captioner(), weights)
    talking = Network.of_captions(
        module,
        layer=networks.LAYER,
        generate=networks.generate,
        log_probabilities=networks.log_probabilities,
        tokenizer=networks.WORDS,
        preprocessing=_PREPROCESSING,
        name=CAPTIONER,
    )
    return NetworkSpec(module, CAPTIONER, talking=talking)


def open_answerer(weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The answerer; with the weights that come with it unless a file is given.

    Raises:
        WeightsError: if the file cannot be read or does not fit.
    """
    module = load(networks.answerer(), weights)
    talking = Network.of_answers(
        module,
        layer=networks.LAYER,
        encode=networks.encode,
        answers=ANSWERS,
        question=known_questions()[0],
        preprocessing=_PREPROCESSING,
        name=ANSWERER,
    )
    return NetworkSpec(module, ANSWERER, talking=talking)
