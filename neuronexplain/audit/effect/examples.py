"""The photographs in which a concept matters most for a class, as pictures: where it is, and what was covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.networks.forward import forward
from neuronexplain.activity import concept_map
from neuronexplain.evaluation.framing import Framing
from neuronexplain.pictures.overlay import concept_picture

from .covering import COVERS, elsewhere_often

if TYPE_CHECKING:
    from jaxtyping import Bool

    from .effect import Reliance
    from .leaning_records import LeaningRecord
    from .named_network import NamedNetwork
    from .photographs import AuditedPhotographs

SHOWN = 6
"""How many photographs are shown for each way."""


@dataclass(frozen=True, slots=True, eq=False)
class LeaningExample:
    """A photograph in which a concept matters much.

    Attributes:
        record: what was measured of it.
        photograph: what the network saw.
        neurons: the same, dark where none of the concept's neurons responds; ``None`` if there are none.
        covered: with the concept covered; ``None`` if it was not.
        elsewhere: with as much covered elsewhere, the first draw.
    """

    record: LeaningRecord
    photograph: Image.Image
    neurons: Image.Image | None
    covered: Image.Image | None
    elsewhere: Image.Image | None


def examples(
    reliance: Reliance, named: NamedNetwork, photographs: AuditedPhotographs
) -> tuple[list[LeaningExample], list[LeaningExample]]:
    """The photographs whose score loses most without the neurons, and those where covering costs most beyond elsewhere.

    Raises:
        ConceptDataError: if labels cannot be read.
        PhotographError: if a file is not a photograph.
    """
    framing = Framing.of(named.network.preprocessing, "centre")

    def shown(ranked: list[tuple[float, LeaningRecord]]) -> list[LeaningExample]:
        strongest = sorted(ranked, key=lambda entry: (-entry[0], entry[1].number))[:SHOWN]
        return [_example(record, reliance, named, photographs, framing) for loss, record in strongest if loss > 0]

    records = reliance.records
    by_loss = [(record.silenced.loss, record) for record in records if record.silenced is not None]
    by_cover = [(one.fall - float(np.mean(one.elsewhere)), record) for record in records if (one := record.covered)]
    return shown(by_loss), shown(by_cover)


def _example(
    record: LeaningRecord,
    reliance: Reliance,
    named: NamedNetwork,
    photographs: AuditedPhotographs,
    framing: Framing,
) -> LeaningExample:
    network, leaning, draws = named.network, reliance.leaning, reliance.draws
    shown = photographs.read(record.number)
    picture, pixels = framing.picture(shown.photograph), framing.tensors(shown.photograph)[0]
    neurons = None
    if units := list(leaning.units):
        maps = forward(network, pixels[None].to(network.device)).activation.detach()[0, units].double().cpu().numpy()
        neurons = concept_picture(picture, concept_map(maps, named.thresholds[units], framing.size))
    if record.covered is None:
        return LeaningExample(record, picture, neurons, None, None)
    region, taken = shown.regions(leaning.key, photographs.things, framing)
    moved = elsewhere_often(region, taken, draws, record.number)[0]
    cover = network.preprocessing.picture(COVERS[draws.cover](pixels))
    return LeaningExample(record, picture, neurons, _pasted(cover, picture, region), _pasted(cover, picture, moved))


def _pasted(cover: Image.Image, picture: Image.Image, region: Bool[np.ndarray, "h w"]) -> Image.Image:
    """A picture with a region of another."""
    return Image.composite(cover, picture, Image.fromarray(np.where(region, 255, 0).astype(np.uint8)))
