"""Datasets that present another dataset differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import Labels

from .fingerprints import fingerprint_extra
from .label_maps import shrink
from .notes import notes_of
from .synonyms import synonyms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from dissection.vocabulary import Concept

    from .dataset import ConceptDataset
    from .notes import Notes


class DatasetWrapper:
    """A dataset unchanged; subclasses override what they change. ``_place`` is an image's index in the original."""

    def __init__(self, dataset: ConceptDataset) -> None:
        self._dataset = dataset

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self._dataset.name

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """The dataset's concepts."""
        return self._dataset.concepts

    @property
    def categories(self) -> Sequence[str]:
        """The dataset's categories."""
        return self._dataset.categories

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """The dataset's other words for its concepts."""
        return synonyms_of(self._dataset)

    @property
    def notes(self) -> Notes:
        """The dataset's notes on licence and origin."""
        return notes_of(self._dataset)

    def __len__(self) -> int:
        return len(self._dataset)

    def image_name(self, index: int) -> str:
        """As in the dataset."""
        return self._dataset.image_name(self._place(index))

    def photograph(self, index: int) -> Image.Image:
        """As in the dataset."""
        return self._dataset.photograph(self._place(index))

    def labels(self, index: int) -> Labels:
        """As in the dataset."""
        return self._dataset.labels(self._place(index))

    def files(self, index: int) -> Sequence[Path]:
        """As in the dataset."""
        return self._dataset.files(self._place(index))

    def fingerprint_extra(self, index: int) -> str:
        """As in the dataset."""
        return fingerprint_extra(self._dataset, self._place(index))

    def _place(self, index: int) -> int:
        return index


class Selection(DatasetWrapper):
    """Some images of a dataset, in the order of ``indices``; the same concepts."""

    def __init__(self, dataset: ConceptDataset, indices: Sequence[int]) -> None:
        super().__init__(dataset)
        self._indices = indices

    @property
    def name(self) -> str:
        """The dataset's name and how many of its images these are."""
        return f"{self._dataset.name} ({len(self)} of {len(self._dataset)} images)"

    def __len__(self) -> int:
        return len(self._indices)

    def _place(self, index: int) -> int:
        return self._indices[index]


class Subset(Selection):
    """``count`` images of a dataset, see :func:`spread_evenly`; the same concepts."""

    def __init__(self, dataset: ConceptDataset, count: int) -> None:
        super().__init__(dataset, spread_evenly(len(dataset), count))


def spread_evenly(images: int, count: int) -> list[int]:
    """The indices of ``count`` images, ascending: one of each of as many stretches, which are as long as each other.

    Which image of its stretch it is, is drawn; and where images do not divide into equal stretches, which of them are
    longer by one. Every n-th image would be of the same few classes where classes go round.
    """
    draws = np.random.default_rng(0)
    lengths = np.full(count, images // count)
    lengths[: images % count] += 1
    draws.shuffle(lengths)
    chosen: list[int] = (lengths.cumsum() - lengths + draws.integers(lengths)).tolist()
    return chosen


class Sized(DatasetWrapper):
    """A dataset with label maps of ``label_size`` x ``label_size``; those of another size are resized."""

    def __init__(self, dataset: ConceptDataset, label_size: int) -> None:
        super().__init__(dataset)
        self._label_size = label_size

    def labels(self, index: int) -> Labels:
        """The labels; maps of another size are resized by nearest neighbour."""
        labels = super().labels(index)
        size = (self._label_size, self._label_size)
        if labels.maps.shape[1:] == size:
            return labels
        layers = [shrink(layer, *size) for layer in labels.maps]
        return Labels(np.stack(layers) if layers else np.zeros((0, *size), np.int32), labels.whole)

    def fingerprint_extra(self, index: int) -> str:
        """As in the dataset, and the label size."""
        return f"{super().fingerprint_extra(index)} at {self._label_size}"
