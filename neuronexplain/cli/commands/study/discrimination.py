"""``neuronexplain study make discrimination``: Sec. 5.1."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli.evaluate.inputs import NetworkOptions
from neuronexplain.cli.groups import grouped

from .making import Layer, Making, Methods, methods_of, subject_of


@grouped
def discrimination(
    *,
    network: NetworkOptions,
    layer: Layer = None,
    method: Methods = None,
    images: Annotated[int, typer.Option(min=1, help="How many images are asked about.")] = 45,
    known: Annotated[
        bool,
        typer.Option(
            "--only-known", help="Do not count annotated categories that the network has no class for: grass, sky."
        ),
    ] = False,
    making: Making,
) -> None:
    """Make a study: which of two categories does an explanation show? (Sec. 5.1).

    An image has exactly two annotated categories, and each of them is explained. Generated scenes come in pairs. With
    --db, the network is the database's, and sentences are asked about, too.

    Example: neuronexplain study make discrimination --network vgg16 --data VOC2007 --kind voc --out study
    """
    from neuronexplain.evaluation.ground_truth.opening import DEFAULT_SCENES
    from neuronexplain.evaluation.ground_truth.scene_pairs import ScenePairs
    from neuronexplain.studies.human.designs import Discrimination

    subject = subject_of(network.open_with_names(layer), methods_of(method))
    ground = making.ground(subject.network.classes)
    if making.images.kind == "scenes":
        count = making.images.limit or DEFAULT_SCENES
        ground = ScenePairs(subject.network.classes, images=count, seed=making.images.random_seed)
    making.run(Discrimination((subject,), ground.objects, "known" if known else "annotated"), ground, images)
