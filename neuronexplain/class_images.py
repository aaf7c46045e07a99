"""A folder of images sorted by class, over which class importances can be gathered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import ConceptDataError
from dissection.execution.checkpoint import Checkpoint, nested, unnested
from dissection.images.photographs import open_photograph, photographs_in
from dissection.networks.passes import run
from dissection.networks.tap import check_finite

from .class_importance import Importances
from .classes import find_class

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jaxtyping import UInt8
    from torch import Tensor

    from dissection.networks.network import Network
    from dissection.networks.passes import Means
    from dissection.networks.preprocessing import Preprocessing
    from dissection.networks.tap import Pass
    from dissection.vocabulary import Layer


@dataclass(frozen=True, slots=True)
class ClassImages:
    """Images with the class each is known to show.

    Attributes:
        root: the folder.
        images: path and class index, in the order of the paths.
    """

    root: Path
    images: tuple[tuple[Path, int], ...]

    def fingerprint(self) -> str:
        """sha256 over the classes and contents of all images."""
        digest = hashlib.sha256()
        for path, index in self.images:
            digest.update(f"{index} {path.stat().st_size} ".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def importances(self, network: Network, layers: Sequence[Layer], means: Means) -> Importances:
        """The importance of the layers' units over all images, as the network sees photographs.

        Raises:
            ActivationError: if a feature map holds a NaN or an infinity; it names the image.
            PhotographError: if a file is no photograph.
        """
        classes = torch.tensor([index for _, index in self.images])
        found, looked = Importances(network.classes, layers, classes), 0
        checkpoint = Checkpoint(means.scratch, "class-images") if means.scratch else None
        if checkpoint and (state := checkpoint.load()):
            found.restore(unnested(state, "importances"))
            looked = int(state["done.looked"])
        shares = means.shares(len(self.images))[looked:]
        for seen in run(network, layers, self._frame_of(network), shares, partial(_look, found), means):
            for number, layer in enumerate(layers):
                check_finite(
                    seen.values[f"finite.{number}"].tolist(), layer, (str(self.images[i][0]) for i in seen.images)
                )
            found.add(unnested(seen.values, "importances"))
            looked += 1
            means.tell("looking at the images of each class", seen.images.stop, len(self.images))
            if checkpoint and checkpoint.is_due:
                checkpoint.save(nested(importances=found.state(), done={"looked": np.array(looked)}))
        found.pool(means.ranks)
        return found

    def _frame_of(self, network: Network) -> Callable[[int], UInt8[np.ndarray, "h w 3"]]:
        return partial(_frame, network.preprocessing, [path for path, _ in self.images])


def _frame(preprocessing: Preprocessing, paths: Sequence[Path], index: int) -> UInt8[np.ndarray, "h w 3"]:
    return np.asarray(preprocessing.frame(open_photograph(paths[index])))


def _look(importances: Importances, result: Pass, images: range) -> dict[str, Tensor]:
    finite = {str(number): maps.isfinite().flatten(1).all(1) for number, maps in enumerate(result.activations)}
    return nested(finite=finite, importances=importances.look(result, images))


def open_class_images(root: Path, labels: Sequence[str]) -> ClassImages:
    """Read a folder that holds one folder of images per class, named as people write the class.

    Raises:
        ConceptDataError: if there is no such folder, or no image in it.
        ClassNotFoundError: if a folder's name is no class of the network.
    """
    if not root.is_dir():
        raise ConceptDataError(f"{root} is no folder; --class-images wants one that holds a folder of images per class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    images = tuple((path, find_class(labels, folder.name)) for folder in folders for path in photographs_in(folder))
    if not images:
        raise ConceptDataError(
            f"{root} holds no folders with images; one folder per class is needed, such as beach/1.jpg"
        )
    return ClassImages(root, images)
