"""Two halves of the images: formulas are searched for on one, and held against shorter ones on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Int32, Int64

    from dissection.execution.ranks import Ranks

    from .overlaps import Columns
    from .signature_blocks import SignatureBlock, SignatureFile

_HALVES = 1
_WEIGHTS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Which half each image is in; of images that are labelled in the same categories, half are in each.

    Attributes:
        strata: a number for each image, the same for images that are labelled in the same categories.
        is_held_out: whether each image is in the half on which formulas are checked.
        seed: of everything that is drawn.
    """

    strata: Int64[np.ndarray, " images"]
    is_held_out: Bool[np.ndarray, " images"]
    seed: int

    @classmethod
    def of(cls, file: SignatureFile, columns: Columns, seed: int, ranks: Ranks) -> Halves:
        """The halves of all images, dealt out by the seed; every rank must call it. Of an odd number more are searched.

        Args:
            file: the signatures of the images that this rank compared.
            columns: the order of the concepts.
            seed: of the deal.
            ranks: the processes that share the images.
        """
        labelled: dict[int, bytes] = {}
        for block in file.blocks():
            categories = labelled_categories(block, columns)
            labelled |= {block.first + image: row.tobytes() for image, row in enumerate(categories)}
        everyones = [item for part in ranks.gather(labelled) for item in part.items()]
        kinds = {kind: number for number, kind in enumerate(sorted({kind for _, kind in everyones}))}
        strata = np.full(max(image for image, _ in everyones) + 1, -1)
        for image, kind in everyones:
            strata[image] = kinds[kind]
        is_held_out = np.zeros(len(strata), bool)
        for stratum, members in enumerate(_members(strata)):
            dealt = np.random.default_rng([seed, _HALVES, stratum]).permutation(members)
            is_held_out[dealt[(len(dealt) + 1) // 2 :]] = True
        return cls(strata, is_held_out, seed)

    def weights(self, resamples: int) -> Int32[np.ndarray, "images resamples"]:
        """How often each held-out image is drawn, of as many draws as its stratum has there; 0 for all others."""
        weights = np.zeros((len(self.strata), resamples), np.int32)
        for stratum, members in enumerate(_members(self.strata)):
            held = members[self.is_held_out[members]]
            if len(held):
                generator = np.random.default_rng([self.seed, _WEIGHTS, stratum])
                weights[held] = generator.multinomial(len(held), np.full(len(held), 1 / len(held)), resamples).T
        return weights


def labelled_categories(block: SignatureBlock, columns: Columns) -> Bool[np.ndarray, "images categories"]:
    """The categories that each image of a block is labelled in."""
    labelled = np.zeros((int(block.owners[-1]) + 1, columns.count), bool)
    labelled[np.repeat(block.owners, np.diff(block.starts)), columns.categories[block.columns]] = True
    return labelled


def _members(strata: Int64[np.ndarray, " images"]) -> Iterator[Int64[np.ndarray, " members"]]:
    for stratum in range(int(strata.max(initial=-1)) + 1):
        yield np.flatnonzero(strata == stratum)
