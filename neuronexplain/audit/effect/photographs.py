"""The photographs of an audit: which of them show the class, and what is labelled in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.fingerprints import fingerprint
from dissection.errors import ConceptDataError
from dissection.files.paths import readable
from dissection.images.photographs import open_photograph
from neuronexplain.counts import count
from neuronexplain.evaluation.ground_truth.labelled_concepts import LabelledConcepts, concept_key
from neuronexplain.evaluation.ground_truth.matching import match

from .named_network import concept_called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool
    from PIL import Image

    from dissection.concepts.dataset import ConceptDataset
    from neuronexplain.class_images import ClassImages
    from neuronexplain.evaluation.framing import Framing
    from neuronexplain.evaluation.ground_truth.truth import ObjectLocation

_NO_THINGS = frozenset(("color", "material", "part", "scene", "texture"))
"""Categories of concepts that are no thing in a place of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownPhotograph:
    """A photograph that was read.

    Attributes:
        name: its name, for people.
        photograph: 8-bit RGB, the whole frame.
        places: the concepts that are labelled in it, by key; ``None`` if it has no labels.
        is_of_class: whether it shows the class; ``None`` where the network's prediction says it.
    """

    name: str
    photograph: Image.Image
    places: Mapping[str, ObjectLocation] | None
    is_of_class: bool | None

    def regions(
        self, key: str, things: Iterable[str], framing: Framing
    ) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Where a concept is in the view of the photograph, and where it or one of the things is."""
        region = self._region(key, framing)
        return region, np.logical_or.reduce([region, *(self._region(thing, framing) for thing in things)])

    def _region(self, key: str, framing: Framing) -> Bool[np.ndarray, "h w"]:
        place = (self.places or {}).get(key)
        truth = None if place is None else framing.truth(place, self.photograph)
        return np.zeros(framing.size, bool) if truth is None else truth.region


@dataclass(frozen=True, slots=True)
class AuditedPhotograph:
    """Where a photograph is.

    Attributes:
        path: its file; ``None`` if the concept data hold it.
        number: its number in the concept data; ``None`` if they do not hold it.
        is_of_class: whether it is in the folder of the class; ``None`` if there is no such folder.
    """

    path: Path | None
    number: int | None
    is_of_class: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class AuditedPhotographs:
    """The photographs of an audit, in order.

    Attributes:
        entries: where they are.
        masks: the concept data that say what is in them, if there are any.
        thing: key of the concept whose label tells that a photograph shows the class; empty if no label does.
        things: keys of the concepts that the class means, of which nothing is covered unless it is asked about.
        digest: identifies them and their labels.
        origin: which photographs of the class they are, in words.
    """

    entries: Sequence[AuditedPhotograph]
    masks: LabelledConcepts | None
    thing: str
    things: frozenset[str]
    digest: str
    origin: str

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, index: int) -> ShownPhotograph:
        """A photograph, and what is known of it.

        Raises:
            ConceptDataError: if its labels cannot be read.
            PhotographError: if its file is not a photograph.
        """
        entry = self.entries[index]
        if entry.number is None or self.masks is None:
            assert entry.path is not None
            return ShownPhotograph(readable(entry.path), open_photograph(entry.path), None, entry.is_of_class)
        annotated = self.masks.annotated(entry.number)
        is_of_class = self.thing in annotated.places if self.thing else entry.is_of_class
        return ShownPhotograph(annotated.name, annotated.photograph, annotated.places, is_of_class)


def of_folder(images: ClassImages, target: int, labels: Sequence[str]) -> tuple[Path, ...]:
    """The photographs in the folder of a class.

    Raises:
        ConceptDataError: if there is no such folder, or it is empty.
    """
    paths = tuple(path for path, index in images.images if index == target)
    if not paths:
        others = list(dict.fromkeys(labels[index] for _, index in images.images))
        raise ConceptDataError(
            f"{images.root} holds no photographs of {labels[target]}, but of {', '.join(others[:5])}"
            f"{' and others' * (len(others) > 5)}; a folder named after the class is needed"
        )
    return paths


def audited_photographs(
    classes: Sequence[str],
    target: int,
    paths: Sequence[Path] = (),
    masks: ConceptDataset | None = None,
    *,
    thing: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> AuditedPhotographs:
    """Join the photographs of a class with concept data, and tell which of their photographs are the same.

    A photograph of the class has the labels of that photograph of the concept data whose file has the same bytes.

    Args:
        classes: the network's labels.
        target: the class.
        paths: photographs of the class. Without any, they are those of the concept data that are labelled ``thing``;
            and without that, those that the network takes for the class.
        masks: the concept data.
        thing: the concept that the class means; by default it is found by name, as in evaluations.
        progress: called with how many photographs with masks were read, and of how many.

    Raises:
        ConceptDataError: if a file cannot be read, there is nothing to look at, or a ``thing`` without masks.
        ConceptNotFoundError: if the concept data have no such ``thing``.
    """
    label = classes[target]
    if not paths and masks is None:
        raise ConceptDataError(f"there are no photographs of {label}: name a folder per class, or concept data")
    if thing and masks is None:
        raise ConceptDataError(f"no masks say where {thing} is; leave the thing out (--thing), or name masks")
    digest = "" if masks is None else fingerprint(masks, progress=progress)
    key = concept_key(concept_called(thing, () if masks is None else masks.concepts.values())) if thing else ""
    things = frozenset([key] if key else () if masks is None else _meant(masks, classes, target))
    contents = [_digest(path) for path in paths]
    with_masks = (
        [_digest(masks.files(number)[0]) for number in range(len(masks))] if masks is not None and paths else []
    )
    numbers = {content: number for number, content in enumerate(with_masks)}
    entries = [
        AuditedPhotograph(path, numbers.get(content), is_of_class=True)
        for path, content in zip(paths, contents, strict=True)
    ]
    joined = sum(entry.number is not None for entry in entries)
    if masks is not None:
        others = range(len(masks)) if not paths else _not_among(contents, with_masks)
        entries += [AuditedPhotograph(None, number, False if paths else None) for number in others]
    identity = hashlib.sha256(json.dumps([digest, key, sorted(things)]).encode())
    for path, content in zip(paths, contents, strict=True):
        identity.update(hashlib.sha256(readable(path.name).encode()).digest() + content)
    return AuditedPhotographs(
        entries,
        None if masks is None else LabelledConcepts(masks, digest),
        "" if paths else key,
        things,
        identity.hexdigest(),
        _origin(label, len(paths), joined, masks, thing),
    )


def _origin(label: str, photographs: int, joined: int, masks: ConceptDataset | None, thing: str) -> str:
    """Which photographs are of the class, in words."""
    if not photographs:
        assert masks is not None
        which = f"labelled {thing}" if thing else f"that the network takes for {label}"
        return f"the photographs of {masks.name} {which}"
    in_folder = f"{count(photographs, 'photograph')} in the folder of {label}"
    return in_folder if masks is None else f"{in_folder}, {joined} of them with masks of {masks.name}"


def _meant(masks: ConceptDataset, classes: Sequence[str], target: int) -> list[str]:
    """The keys of the concepts that a class means, by name."""
    keys = {
        concept.spoken: concept_key(concept)
        for concept in masks.concepts.values()
        if concept.category not in _NO_THINGS
    }
    try:
        matched = match(keys, classes)
    except ConceptDataError:  # no class means any of them
        return []
    return [keys[name] for name, indices in matched.items() if target in indices]


def _not_among(contents: Sequence[bytes], others: Sequence[bytes]) -> list[int]:
    return [number for number, content in enumerate(others) if content not in set(contents)]


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise ConceptDataError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
