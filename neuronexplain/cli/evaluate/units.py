"""``neuronexplain evaluate units``: whether the named units of Sec. 7 matter."""

from __future__ import annotations

from typing import Annotated

import typer

from dissection.errors import NeuronExplainError
from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import options
from neuronexplain.cli.groups import grouped

from .inputs import ImageOptions, open_stored
from .measuring import Measurement


@grouped
def units(
    *,
    db: options.Db,
    run: options.RunNumber = None,
    network: options.NetworkNow = None,
    weights: options.Weights = None,
    ema: options.Ema = False,
    dictionary: options.DictionaryNow = None,
    device: options.Device = "cpu",
    min_iou: options.MinIou = MIN_IOU,
    top: Annotated[int, typer.Option(min=1, help="How many neurons are left out.")] = 5,
    images: ImageOptions,
    measurement: Measurement,
) -> None:
    """Measure what the predicted class loses without its strongest named neurons (Sec. 7), or without others.

    Example: neuronexplain evaluate units --db names.db --data photographs --kind photographs --out figures
    """
    from db import NameStore
    from neuronexplain.evaluation.protocols import UnitAblation

    with NameStore.open(db) as store:
        opened, naming_run = open_stored(
            store, run, network=network, weights=weights, ema=ema, dictionary=dictionary, device=device
        )
        named_units = tuple(sorted(store.names(naming_run, min_iou)))
    if not named_units:
        raise NeuronExplainError(
            f"units needs names of {naming_run.layer.noun}s, and run {naming_run.id} has none with an IoU of at least "
            f"{min_iou:g}; name another database with --db, or lower --min-iou"
        )
    measurement.run(UnitAblation(named_units, k=top, seed=images.random_seed), opened, [], images)
