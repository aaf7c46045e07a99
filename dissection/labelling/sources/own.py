"""One's own module as a labeller: ``path/to/file.py:factory`` or ``package.module:factory``."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from dissection.concepts.model_labels import LabellingModel
from dissection.errors import NetworkError
from dissection.labelling.class_words import class_words
from dissection.labelling.segmenter import LIKELIEST, Segmenter, digest_of
from dissection.networks.network_arguments import input_of
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources.factory import call_factory
from dissection.networks.sources.spec import load

from .modules import segment_with

if TYPE_CHECKING:
    from PIL import Image

    from dissection.labelling.request import LabellerRequest


def open_own(request: LabellerRequest) -> Segmenter:
    """The labeller that a factory makes, with a file's weights if one is given.

    Raises:
        NetworkError: if the factory fails or gives something else, or nothing says what its classes are called.
        WeightsError: if the weights cannot be read or do not fit.
    """
    made = call_factory(request.model)
    if not isinstance(made.product, nn.Module):
        raise NetworkError(f"{request.model} gives a Network; give an nn.Module with scores of pixels")
    labels = request.classes or request.words
    if not labels:
        raise NetworkError(
            f"nothing says what the classes of {request.model} are called; give --words or --classes FILE"
        )
    words = class_words(labels, made.name, category=request.category, only=request.words if request.classes else ())
    module = load(made.product, request.weights).eval().to(request.device)
    stated = {key: value for key, value in request.preprocessing.items() if value is not None}
    preprocessing, name = input_of(module, Preprocessing().changed(**stated) if stated else None, made.name)

    def prepare(photograph: Image.Image) -> torch.Tensor:
        return preprocessing.normalised(torch.from_numpy(np.array(preprocessing.whole(photograph)))[None])[0]

    return Segmenter(
        (LabellingModel(name, PurePath(made.spec).name, digest_of(module)),),
        {"torch": str(torch.__version__)},
        words,
        request.confidence(LIKELIEST),
        segment_with(module, prepare, words, name, request.device),
    )
