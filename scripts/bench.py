"""Measures what the engine costs, as ratios of two things timed in turns in one run, and how fast a store answers.

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
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from sqlalchemy import insert, literal, select
from torch import nn
from torchcam.methods import GradCAM as TorchCam
from torchvision.models import get_model

from db import ClassImportance, NameStore, Run, RunKey, engines, schema
from db.location import Location
from db.writing import write_run
from dissection.concepts import open_concepts
from dissection.concepts.scenes import write_scenes
from dissection.tap import forward
from dissection.vocabulary import Concept, ConceptSupport, Dissection, Layer, Overlap, Unit
from neuronexplain import Network, build
from neuronexplain.gradcam import alphas, heatmap, of_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

BATCH = 16
BUILT = ("vgg16", "mobilenet_v3_large")
EXPLAINED = ("vgg16", "resnet50")


def network(name: str) -> Network:
    """An architecture with random weights."""
    torch.manual_seed(0)
    return Network.from_module(get_model(name, weights=None).eval(), name=name)


def medians(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; they take turns, each round begun by another, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = deque(sides)
    for turn in range(rounds + 1):
        for name in order:
            start = time.perf_counter()
            sides[name]()
            if turn:
                times[name].append(time.perf_counter() - start)
        order.rotate(1)
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


def by_hand(net: Network) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """What runs before the tapped layer's output and what runs after it, as one would write them out."""
    module = net.module
    if net.name == "vgg16":
        last = int(net.layer.name.removeprefix("features.")) + 1
        body = module.features[:last]
        head = nn.Sequential(module.features[last:], module.avgpool, nn.Flatten(), module.classifier)
    else:
        first = (module.conv1, module.bn1, module.relu, module.maxpool)
        body = nn.Sequential(*first, module.layer1, module.layer2, module.layer3, module.layer4)
        head = nn.Sequential(module.avgpool, nn.Flatten(), module.fc)
    return body, head


def explaining(name: str, size: int, rounds: int) -> dict[str, float]:
    """Alphas and heat map of one batch, over a forward pass alone and with the head's backward pass, beside peers."""
    net = network(name)
    layer = net.module.get_submodule(net.layer.name)
    body, head = by_hand(net)
    images = torch.randn(size, 3, *net.preprocessing.size)
    classes = torch.zeros(size, dtype=torch.int64)

    def bare() -> None:
        with torch.inference_mode():
            net.module(images)

    def backward() -> None:
        with torch.no_grad():
            activation = body(images)
        score = head(activation.requires_grad_())[:, 0].sum()
        torch.autograd.grad(score, activation)

    def ours() -> None:
        result = forward(net, images)
        heatmap(alphas(of_class(result.scores, classes), result.activation), result.activation)

    def captum() -> None:
        LayerGradCam(net.module, layer).attribute(images, target=0, relu_attributions=True)

    def torchcam() -> None:
        with TorchCam(net.module, layer) as cam:
            cam([0] * size, net.module(images), normalized=False)

    def grad_cam() -> None:
        with GradCAM(model=net.module, target_layers=[layer]) as cam:
            cam(images, targets=[ClassifierOutputTarget(0)] * size)

    return medians(
        {
            "bare forward pass": bare,
            "forward + head backward": backward,
            "ours": ours,
            "captum": captum,
            "torchcam": torchcam,
            "grad-cam": grad_cam,
        },
        rounds,
    )


def crowded(path: Path) -> list[Run]:
    """A store of 100 runs of 2,048 named units and 365 classes, 100 of these with importances: one run, and copies."""
    generator = np.random.default_rng(0)
    layer = Layer("layer4", 2048, 7, 7, "")
    supports = tuple(ConceptSupport(Concept(n, f"concept {n}", "object"), 20, 20_000) for n in range(1, 301))
    chosen = generator.choice(supports, (layer.units, 10))
    dissection = Dissection(
        layer=layer,
        quantile=0.005,
        min_images=10,
        images=1000,
        pixels=1000 * 112 * 112,
        concepts=supports,
        units=tuple(
            Unit(k, 1.0, tuple(Overlap(s.concept, 900 - rank, 1000, 1000, s.images) for rank, s in enumerate(row)), ())
            for k, row in enumerate(chosen)
        ),
    )
    labels = tuple(f"class {index}" for index in range(365))
    importances = [ClassImportance(c, labels[c], 9, *generator.normal(size=(2, layer.units))) for c in range(100)]
    run = Run(
        id=0,
        key=RunKey("0", layer.name, "", "", dissection.quantile, dissection.min_images, "", ""),
        created=datetime.now(UTC),
        network="resnet50",
        source={},
        classes=labels,
        layer=layer,
        concepts="bench",
        images=dissection.images,
        pixels=dissection.pixels,
        constant_alphas=False,
        evidence="bench",
    )
    with NameStore.create(path) as store:
        runs = [store.publish(run, dissection, importances)]
    engine = engines.created(Location.of(path))
    for number in range(1, 100):
        copy = replace(runs[0], key=replace(run.key, network=str(number)))
        with engines.writing(engine) as connection:
            copied = write_run(connection, copy, copy.created)
            for table in schema.metadata.sorted_tables:
                if "run" in table.c:
                    columns = [literal(copied) if column.name == "run" else column for column in table.c]
                    rows = select(*columns).where(table.c.run == runs[0].id)
                    connection.execute(insert(table).from_select(table.c, rows))
        runs.append(replace(copy, id=copied))
    engine.dispose()
    return runs


def asking(path: Path, questions: int = 200) -> dict[str, float]:
    """Milliseconds in which a warm store of 100 runs answers which concepts matter for a class."""
    runs, generator, times = crowded(path), np.random.default_rng(0), []
    with NameStore.open(path) as store:
        for question in range(questions + 20):
            run, index = runs[generator.integers(100)], int(generator.integers(100))
            start = time.perf_counter()
            store.concepts_of(run, index)
            if question >= 20:
                times.append(1000 * (time.perf_counter() - start))
    return {"median": statistics.median(times), "p90": float(np.quantile(times, 0.9))}


def ratios(times: Mapping[str, float], baseline: str = "bare forward pass") -> dict[str, float]:
    """Every other side's time over the baseline's."""
    return {name: seconds / times[baseline] for name, seconds in times.items() if name != baseline}


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
            for baseline in ("bare forward pass", "forward + head backward"):
                found[f"explain {name}, batch {size}, over {baseline}"] = ratios(times, baseline) | {"seconds": times}
    with tempfile.TemporaryDirectory() as place:
        found["concepts of a class among 100 runs, milliseconds"] = asking(Path(place) / "names.db")
    for what, values in found.items():
        if isinstance(values, dict):
            print(what, *(f"{name} {value:.2f}" for name, value in values.items() if name != "seconds"), sep="  ")
    options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
