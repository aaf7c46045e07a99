"""What evaluating costs: a protocol from photographs to its table, compared with the network's passes that it needs.

The method is Grad-CAM, whose passes are the cheapest, so the rest weighs most: reading, boxes and distances on
full-size maps, the journal, and 2,000 resamples. The bare passes get decoded photographs and the classes to explain:
one forward pass for scores and maps, and the head's backward pass for each class.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from building import network
from timing import in_turns, ratio, timed

from dissection.scenes.scene import THINGS
from neuronexplain import Execution
from neuronexplain.evaluation.batch import Batch
from neuronexplain.evaluation.framing import Framing
from neuronexplain.evaluation.ground_truth.opening import open_ground
from neuronexplain.evaluation.protocols.localisation import Localisation
from neuronexplain.evaluation.protocols.pointing import Pointing
from neuronexplain.evaluation.protocols.ratio import Ratio
from neuronexplain.evaluation.protocols.seeds import Seeds
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol

METHOD = METHODS["grad-cam"]
PROTOCOLS = (Localisation(), Pointing(tolerance=15), Ratio(), Seeds())


def evaluating(name: str, folder: Path, *, rounds: int, batch_size: int) -> dict[str, object]:
    """Ratios for each protocol over the scenes in a folder, with classes of the network named after their things."""
    net = network(name)
    labels = [f"class {index}" for index in range(len(net.classes) - len(THINGS))]
    ground = open_ground(folder, [*THINGS, *labels])
    results: dict[str, object] = {"images": len(ground)}
    for protocol in PROTOCOLS:
        bare = Bare(net, ground, batch_size, predictions=5 if protocol.name == "pointing" else 0)
        ours = partial(whole, protocol, net, ground, batch_size)
        times = in_turns({"passes": timed(bare), "evaluation": timed(ours)}, rounds)
        results[protocol.name] = ratio(times, "evaluation", "passes") | {"seconds": times}
    return results


def whole(protocol: Protocol, net: Network, ground: Ground, batch_size: int) -> None:
    """The evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        evaluate(protocol, net, [METHOD], ground, Path(folder), execution=Execution(batch_size=batch_size))


class Bare:
    """The passes alone, on images that were read beforehand.

    Args:
        net: the network.
        ground: the images and what is in them.
        batch_size: images in a pass.
        predictions: how many predictions are explained in all, including the objects of an image.
    """

    def __init__(self, net: Network, ground: Ground, batch_size: int, *, predictions: int) -> None:
        view = Framing.of(net.preprocessing)
        self._batches = []
        for start in range(0, len(ground), batch_size):
            annotated = [ground.annotated(index) for index in range(start, min(start + batch_size, len(ground)))]
            images = torch.stack([view.tensors(image.photograph) for image in annotated])
            classes = [self._classes(ground, list(image.places), predictions) for image in annotated]
            self._batches.append(
                (partial(Batch, net, view, ground.objects, start, annotated, images, batch_size), classes)
            )

    def __call__(self) -> None:
        """Run the passes."""
        for make_batch, classes in self._batches:
            batch = make_batch()
            _ = batch.probabilities
            batch.maps(METHOD, classes)

    def _classes(self, ground: Ground, names: Sequence[str], predictions: int) -> list[int]:
        others = [name for name in ground.objects if name not in names][: max(predictions - len(names), 0)]
        return [ground.objects[name][0] for name in (*names, *others)]
