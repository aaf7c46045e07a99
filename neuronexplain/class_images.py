"""A folder of images sorted by class, to average class importances over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import ConceptDataError, not_taken, require_finite
from dissection.execution.checkpoint import Checkpoint, ResumableJob
from dissection.execution.statistic import Bundle
from dissection.images.photographs import open_photograph, photographs_in
from dissection.networks.passes import observed

from .classes import find_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Int64, UInt8
    from torch import Tensor

    from dissection.execution.settings import Execution
    from dissection.files.read_files import ReadFiles
    from dissection.networks.forward import Pass
    from dissection.networks.network import Network
    from dissection.networks.passes import Observer, Watcher
    from dissection.networks.preprocessing import Preprocessing
    from dissection.vocabulary import Layer


@dataclass(frozen=True, slots=True)
class ClassImages:
    """Images, each with the class that it is known to show.

    Attributes:
        root: the folder.
        images: path and class index, in the order of the paths.
    """

    root: Path
    images: tuple[tuple[Path, int], ...]

    def fingerprint(self, read: ReadFiles) -> str:
        """sha256 over the classes and contents of all images; ``read`` takes in the files."""
        digest = hashlib.sha256()
        for path, index in self.images:
            with read.open(path) as stream:
                content = stream.read()
            digest.update(f"{index} {len(content)} ".encode())
            digest.update(content)
        return digest.hexdigest()

    def changed_file(self, read: ReadFiles) -> Path | None:
        """The first image that is not as it was fingerprinted."""
        return read.first_changed(path for path, _ in self.images)

    @property
    def classes(self) -> Int64[Tensor, " images"]:
        """The class of each image."""
        return torch.tensor([index for _, index in self.images])

    def show(self, importances: Observer, network: Network, layers: Sequence[Layer], execution: Execution) -> None:
        """Gather the importances of the layers' units over all images, each framed by the network's preprocessing.

        Raises:
            ActivationError: if a feature map holds a NaN or an infinity; the message names the image.
            PhotographError: if a file is not a photograph.
        """
        finite = _Finite([layer.name for layer in layers], [str(path) for path, _ in self.images])
        watchers: dict[str, Watcher] = {"finite": finite, "importances": importances}
        checkpoint = Checkpoint(execution.scratch, "class-images") if execution.scratch else None
        job = ResumableJob(Bundle({"importances": importances}), ("looked",), checkpoint)
        photographs = len(self.images), self._frame_of(network)
        for _ in observed(
            network,
            layers,
            photographs,
            watchers,
            job,
            execution,
            stage="looked",
            progress="looking at the images of each class",
        ):
            pass
        importances.pool(execution.ranks)

    def _frame_of(self, network: Network) -> Callable[[int], UInt8[np.ndarray, "h w 3"]]:
        return partial(_frame, network.preprocessing, [path for path, _ in self.images])


def _frame(preprocessing: Preprocessing, paths: Sequence[Path], index: int) -> UInt8[np.ndarray, "h w 3"]:
    return np.asarray(preprocessing.frame(open_photograph(paths[index])))


@dataclass(frozen=True, slots=True)
class _Finite:
    """Checks that no feature map of a pass holds a NaN or an infinity."""

    layers: Sequence[str]
    images: Sequence[str]

    def look(self, forward: Pass, _images: range) -> Mapping[str, Tensor]:
        return {str(number): finite for number, finite in enumerate(forward.finite)}

    def add(self, images: range, values: Mapping[str, np.ndarray]) -> None:
        for number, layer in enumerate(self.layers):
            require_finite(values[str(number)].tolist(), layer, (self.images[index] for index in images))


def open_class_images(root: str | PathLike[str], labels: Sequence[str]) -> ClassImages:
    """Read a folder that holds one folder of images per class, named after the class (see :func:`find_class`).

    Raises:
        ConceptDataError: if there is no such folder, or it holds no images.
        ClassNotFoundError: if a folder is not named after a class of the network.
        TypeError: if ``root`` is no path.
    """
    if not isinstance(root, str | PathLike):
        raise not_taken("root", root, "the path of a folder that holds a folder of images for each class")
    root = Path(root)
    if not root.is_dir():
        raise ConceptDataError(f"{root} is not a folder; name one that holds a folder of images per class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    images = tuple((path, find_class(labels, folder.name)) for folder in folders for path in photographs_in(folder))
    if not images:
        raise ConceptDataError(
            f"{root} has no folders with images; one folder per class is needed, such as beach/1.jpg"
        )
    return ClassImages(root, images)
