"""A folder of images sorted by class, over which class importances can be gathered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dissection.errors import ConceptDataError
from dissection.photographs import open_photograph, photographs_in
from dissection.tap import forward

from .classes import find_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.dissect import Progress
    from dissection.networks import Network

    from .importance import Importances


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

    def observe(
        self, importances: Importances, network: Network, *, batch_size: int, progress: Progress | None = None
    ) -> None:
        """Gather the importance of the network's units over all images, as the network sees photographs."""
        for start in range(0, len(self.images), batch_size):
            batch = self.images[start : start + batch_size]
            preprocessing = network.preprocessing
            frames = [preprocessing.tensor(preprocessing.frame(open_photograph(path))) for path, _ in batch]
            result = forward(network, torch.stack(frames))
            result.check(network, [str(path) for path, _ in batch])
            importances.add(result, torch.tensor([index for _, index in batch]))
            if progress is not None:
                progress("looking at the images of each class", start + len(batch), len(self.images))


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
