"""The second job: says why a network predicts what it predicts, with the stored names of its units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from db.records import Run, require_built
from dissection.errors import NetworkError
from dissection.files.paths import readable
from dissection.images.photographs import open_photograph
from dissection.networks.network import Source
from dissection.networks.opening import open_network, runs_code
from dissection.networks.preprocessing import Preprocessing

from .built_here import is_built_here
from .explainer import Explainer
from .vocabulary import DEFAULT_RULES

if TYPE_CHECKING:
    from db import NameStore
    from dissection.networks.network import Network

    from .explanation import Explanation
    from .vocabulary import Rules


def explain(
    image: Path | str | Image.Image,
    network: Network,
    store: NameStore,
    *,
    target: str | int | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Explanation:
    """Say why the network predicts what it predicts for one image; see :meth:`Explainer.from_store` for many.

    Args:
        image: a file, or a picture in memory.
        network: the network, whose units the store names.
        store: the store that holds the names.
        target: the class to explain, as label, synonym or index; by default the predicted one.
        rules: which units are ranked, and what may be said of them.

    Raises:
        RunNotFoundError: if the store has no names for a network with these weights.
        PhotographError: if the file is not a photograph.
        ClassNotFoundError: if the network has no such class.
    """
    explainer = Explainer.from_store(network, store, rules=rules)
    photograph = image.convert("RGB") if isinstance(image, Image.Image) else open_photograph(Path(image))
    name = "the picture" if isinstance(image, Image.Image) else readable(image)
    (explanation,) = explainer.explain([(name, photograph)], target=target)
    return explanation


def open_network_of(
    run: Run, *, network: str | None = None, weights: Path | None = None, ema: bool = False, device: str = "cpu"
) -> Network:
    """Open a run's network again, from its source.

    Code, which is a factory or an exported program, is run only if this user built the run here, or names the network.

    Args:
        run: the run.
        network: the network's new place, if it has moved; or its name, if it is code and the run was built elsewhere.
        weights: the weights file's new place, if it has moved.
        ema: whether to take the averaged weights of that file, if the source does not say so itself.
        device: the device to put the network on.

    Raises:
        NetworkError: if the network cannot be opened, or is code that nobody named. Whether it is the same network,
            :func:`explain` checks.
        StoreError: if the run was imported: it cannot explain predictions.
    """
    require_built(run, "thresholds")
    source = Source.from_json(run.source)
    if network is None and runs_code(source.network) and not is_built_here(run):
        raise NetworkError(
            f"run {run.id} is not known to be built here, and {source.network!r} is code, which is not run on trust; "
            "name the network with --network, or run its build again"
        )
    opened = open_network(
        network or source.network,
        weights=weights or source.weights,
        ema=ema or source.ema,
        layer=run.layer.name,
        classes=run.classes,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        device=device,
        output=source.output or None,
        multi_label=source.multi_label or None,
    )
    return replace(opened, precision=run.key.precision)
