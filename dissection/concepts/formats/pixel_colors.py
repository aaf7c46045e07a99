"""Adds the name of each pixel's colour to a dataset's labels: a category ``color`` on every image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.concepts.color_names import COLOR_NAMES, basic_colors
from dissection.concepts.layouts import open_sized
from dissection.concepts.wrappers import DatasetWrapper
from dissection.errors import ConceptDataError
from dissection.vocabulary import Concept, Labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CATEGORY = "color"


class Colors(DatasetWrapper):
    """Any dataset that ``open_concepts`` reads, with the colours of its photographs (``color_names``).

    The photograph is first shrunk to the label maps' size (bilinear, antialiased); the mixed colour is named.

    Raises:
        ConceptDataError: if the dataset has colours already.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        super().__init__(open_sized(src, label_size=label_size))
        self._label_size = label_size
        if CATEGORY in self._dataset.categories:
            raise ConceptDataError(f"{src} labels colors already; give a dataset without the category {CATEGORY!r}")
        first = max(self._dataset.concepts) + 1
        colors = {first + place: Concept(first + place, name, CATEGORY) for place, name in enumerate(COLOR_NAMES)}
        self._first = first
        self._concepts = {**self._dataset.concepts, **colors}

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """The dataset's concepts, followed by the colours."""
        return self._concepts

    @property
    def categories(self) -> Sequence[str]:
        """The dataset's categories, then that of the colours."""
        return (*super().categories, CATEGORY)

    def labels(self, index: int) -> Labels:
        """The dataset's labels, with a layer of colours on top."""
        labels = super().labels(index)
        size = (self._label_size, self._label_size)
        photograph = self.photograph(index).resize(size, Image.Resampling.BILINEAR)
        colors = basic_colors(np.asarray(photograph)) + self._first
        return Labels(np.concatenate([labels.maps, colors[None]]), labels.whole)
