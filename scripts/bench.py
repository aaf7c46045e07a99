"""Measures what the engine costs, as ratios of two things timed in turns in one run; writes a table and JSON.

Usage: scripts/bench.py [--images 200] [--rounds 3] [--out bench.json]

Both sides of a ratio have the same batch size, memory layout, threads and allocator. Networks have random weights: time
does not depend on what they have learnt.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchvision.models import get_model

from db import NameStore
from dissection.concepts import open_concepts
from dissection.concepts.scenes import write_scenes
from dissection.tap import forward
from neuronexplain import Network, build
from neuronexplain.gradcam import alphas, heatmap, of_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BATCH = 16
BUILT = ("vgg16", "mobilenet_v3_large")
EXPLAINED = ("vgg16", "resnet50")


def network(name: str) -> Network:
    """An architecture with random weights."""
    torch.manual_seed(0)
    return Network.from_module(get_model(name, weights=None).eval(), name=name)


def medians(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; the sides take turns, after one turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def building(name: str, folder: Path, rounds: int) -> dict[str, float]:
    """The whole of ``build``, from files to the database, over a bare forward pass on decoded images."""
    net, concepts = network(name), open_concepts(folder)
    images = torch.stack([net.preprocessing.tensor(concepts.photograph(index)) for index in range(len(concepts))])
    attempts = iter(range(rounds + 1))

    def bare() -> None:
        with torch.inference_mode():
            for batch in images.split(BATCH):
                net.module(batch)

    def whole() -> None:
        with tempfile.TemporaryDirectory() as place, NameStore.create(Path(place) / f"{next(attempts)}.db") as store:
            build(net, concepts, store, batch_size=BATCH)

    return medians({"bare forward pass": bare, "build": whole}, rounds)


def explaining(name: str, size: int, rounds: int) -> dict[str, float]:
    """Alphas and heat map of one batch, over its bare forward pass, beside what others take for the same."""
    net = network(name)
    layer = net.module.get_submodule(net.layer.name)
    images = torch.randn(size, 3, *net.preprocessing.size)
    classes = torch.zeros(size, dtype=torch.int64)

    def bare() -> None:
        with torch.inference_mode():
            net.module(images)

    def ours() -> None:
        result = forward(net, images)
        heatmap(alphas(of_class(result.scores, classes), result.activation), result.activation)

    def captum() -> None:
        LayerGradCam(net.module, layer).attribute(images, target=0, relu_attributions=True)

    def grad_cam() -> None:
        with GradCAM(model=net.module, target_layers=[layer]) as cam:
            cam(images, targets=[ClassifierOutputTarget(0)] * size)

    return medians({"bare forward pass": bare, "ours": ours, "captum": captum, "grad-cam": grad_cam}, rounds)


def ratios(times: Mapping[str, float]) -> dict[str, float]:
    """Every side's time over the bare forward pass's."""
    bare = times["bare forward pass"]
    return {name: seconds / bare for name, seconds in times.items() if name != "bare forward pass"}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    found: dict[str, object] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, batch size {BATCH}"
    }
    print(found["machine"])
    with tempfile.TemporaryDirectory() as place:
        write_scenes(Path(place) / "scenes", images=options.images)
        for name in BUILT:
            times = building(name, Path(place) / "scenes", options.rounds)
            found[f"build {name}, {options.images} images"] = ratios(times) | {"seconds": times}
    for name in EXPLAINED:
        for size in (1, BATCH):
            times = explaining(name, size, options.rounds * (5 if size == 1 else 1))
            found[f"explain {name}, batch {size}"] = ratios(times) | {"seconds": times}
    for what, values in found.items():
        if isinstance(values, dict):
            print(what, *(f"{name} {value:.2f}" for name, value in values.items() if name != "seconds"), sep="  ")
    options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
