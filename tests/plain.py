"""The dissection in its plainest form: all maps in memory, sorted, upsampled whole. What the engine must equal."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from dissection.engine.exemplars import EXEMPLARS
from dissection.engine.thresholds import strong_values
from dissection.engine.upsampling import upsample
from dissection.networks.forward import forward
from dissection.vocabulary import KEPT_OVERLAPS, ConceptSupport, Dissection, Exemplar, Overlap, Unit


def plain_dissection(network, concepts, *, quantile, min_images, batch_size=16):
    maps = _maps(network, concepts, batch_size)
    thresholds = [_threshold(maps[:, unit].ravel(), quantile) for unit in range(maps.shape[1])]
    numbers = list(concepts.concepts)
    category_of = {number: concept.category for number, concept in concepts.concepts.items()}
    intersection = np.zeros((maps.shape[1], len(numbers)), np.int64)
    unit_area = {category: np.zeros(maps.shape[1], np.int64) for category in set(category_of.values())}
    images, area, pixels = dict.fromkeys(numbers, 0), dict.fromkeys(numbers, 0), 0
    for index in range(len(concepts)):
        labels = concepts.labels(index)
        height, width = labels.maps.shape[1:]
        lit = upsample(maps[index].astype(np.float64), height, width) > np.array(thresholds)[:, None, None]
        pixels += height * width
        where = {}
        for number in set(np.unique(labels.maps).tolist()) | set(labels.whole):
            if number:
                where[number] = (labels.maps == number).any(0) | (number in labels.whole)
        for category in {category_of[number] for number in where}:
            unit_area[category] += lit.sum((1, 2))
        for number, mask in where.items():
            images[number] += 1
            area[number] += int(mask.sum())
            intersection[:, numbers.index(number)] += (lit & mask).sum((1, 2))
    units = []
    for unit in range(maps.shape[1]):
        overlaps = [
            Overlap(
                concepts.concepts[number],
                int(found),
                int(unit_area[category_of[number]][unit]),
                area[number],
                images[number],
            )
            for number, found in zip(numbers, intersection[unit], strict=True)
            if found and images[number] >= min_images
        ]
        overlaps.sort(key=lambda overlap: (-overlap.iou, overlap.concept.number))
        firsts = {overlap.concept.category: overlap for overlap in reversed(overlaps)}
        kept = [o for rank, o in enumerate(overlaps) if rank < KEPT_OVERLAPS or firsts[o.concept.category] is o]
        units.append(Unit(unit, thresholds[unit], tuple(kept), _exemplars(maps[:, unit], concepts)))
    support = tuple(ConceptSupport(concepts.concepts[number], images[number], area[number]) for number in numbers)
    return Dissection(network.layer, quantile, min_images, len(concepts), pixels, support, tuple(units))


def _maps(network, concepts, batch_size):
    preprocessing = network.preprocessing
    parts = []
    for start in range(0, len(concepts), batch_size):
        frames = [
            preprocessing.tensor(preprocessing.whole(concepts.photograph(index)))
            for index in range(start, min(start + batch_size, len(concepts)))
        ]
        parts.append(forward(network, torch.stack(frames)).activation.detach().numpy())
    return np.concatenate(parts)


def _threshold(values, quantile):
    ranked = np.sort(values)[::-1]
    threshold = ranked[strong_values(quantile, len(ranked))]
    below = ranked[ranked < threshold]
    return float(below[0] if threshold == ranked[0] and len(below) else threshold)


def _exemplars(maps, concepts):
    flat = maps.reshape(len(maps), -1)
    order = np.argsort(-flat.max(1), kind="stable")[:EXEMPLARS]
    found = []
    for index in order.tolist():
        row, column = divmod(int(flat[index].argmax()), maps.shape[2])
        shown = _covering(
            concepts, index, Fraction(2 * row + 1, 2 * maps.shape[1]), Fraction(2 * column + 1, 2 * maps.shape[2])
        )
        found.append(Exemplar(concepts.image_name(index), index, float(flat[index].max()), row, column, shown))
    return tuple(found)


def _covering(concepts, index, down, right):
    """The concepts that cover a point of an image, given as shares of its height and width."""
    labels = concepts.labels(index)
    _, height, width = labels.maps.shape
    (y,) = [pixel for pixel in range(height) if pixel <= down * height < pixel + 1]
    (x,) = [pixel for pixel in range(width) if pixel <= right * width < pixel + 1]
    return tuple(
        concept
        for category in concepts.categories
        for number, concept in sorted(concepts.concepts.items())
        if concept.category == category and (number in labels.maps[:, y, x] or number in labels.whole)
    )
