"""Bias in a dataset: seen in words and in maps, removed, and measured again (Sec. 6.3).

The paper's nurses were nearly all women and its doctors mostly men (93 % and 78 %), and its network had learned to look
at faces. Here cows are nearly always on mountains and dogs mostly on beaches, in the same shares, and the test set is
balanced. What the network has learned is measured in three ways: how often it is right in the unusual place; how much
of Grad-CAM's map is on the animal; whether the named neurons that speak for its predictions are the animal's. Then the
training set is rebalanced at the same size, and another network is measured in the same way.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save

from db import NameStore
from dissection.concepts.generated import write_drawn
from dissection.concepts.layouts import open_concepts
from dissection.errors import CheckpointError
from dissection.execution.settings import Execution
from dissection.files.atomic import replace_file
from dissection.files.written_files import are_as_written, checksum
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.scenes.classifier import LAYER, ScenesNet
from dissection.scenes.scene import draw_scene
from dissection.scenes.staged import Staging
from dissection.scenes.training import Training, fine_tune, pixels, stacked
from dissection.scenes.words import SCENE_CLASSES
from neuronexplain.building import build
from neuronexplain.class_images import ClassImages
from neuronexplain.evaluation.baselines import BASELINES
from neuronexplain.evaluation.ground_truth.opening import open_ground
from neuronexplain.evaluation.page import write_charts
from neuronexplain.evaluation.record_journal import this_version
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.explainer import Explainer
from neuronexplain.methods import METHODS
from neuronexplain.pictures.overlay import save_picture
from neuronexplain.vocabulary import INTERVAL, Rules

from .attention import Attention
from .bias_report import BiasFound, Side, found, picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dissection.concepts.dataset import ConceptDataset
    from dissection.scenes.scene import Scene

_TRAINING, _TEST, _NAMED = 1, 2, 3
"""Added to the seed: no two sets share a scene."""


@dataclass(frozen=True, slots=True)
class Bias:
    """What is staged, and how much of it.

    Attributes:
        staging: the things and places, balanced.
        percent: of each thing's biased training scenes, how many of a hundred are in the first place: the paper's
            shares of women among nurses and doctors.
        images: training scenes, the same number for both networks.
        tested: test scenes.
        named: scenes of every class, with the things in them, that neurons are named with.
        quantile: quantile of the build that names the neurons.
        training: how the networks are trained.
        seed: seed of all scenes.
    """

    staging: Staging = field(default_factory=Staging)
    percent: tuple[int, int] = (93, 22)
    images: int = 120
    tested: int = 240
    named: int = 480
    quantile: float = 0.01
    training: Training = field(default_factory=lambda: Training(epochs=10, batch=25, rate=3e-4))
    seed: int = 0

    @property
    def stagings(self) -> Mapping[str, Staging]:
        """What each network is trained on."""
        return {"biased": replace(self.staging, percent=self.percent), "rebalanced": self.staging}


def study_bias(study: Bias, out: Path, *, execution: Execution | None = None, fresh: bool = False) -> BiasFound:
    """Train on biased scenes and on balanced ones, and compare.

    Everything is stored in ``out``: scenes, weights, names (``names.db``), figures (``bias.json``, and with charts
    ``bias.html``) and a picture like the paper's Fig. 8 (``bias.png``), if there is a scene to show. The test scenes
    are there by class, too (``photographs/``), with a table of their places (``places.csv``), as audits read them. The
    same study is resumed where it stopped.

    Args:
        study: what is staged.
        out: the folder.
        execution: how the work is run; only batch size, workers and progress count.
        fresh: start over.

    Raises:
        CheckpointError: if the folder holds another study.
    """
    execution = execution or Execution()
    _claim(out, study, fresh=fresh)
    test_scenes = (study.staging.draw(study.seed + _TEST, index) for index in range(study.tested))
    test = _drawn(out / "test", test_scenes, study.tested, execution)
    _sort(test, study, out)
    named = _drawn(out / "named", _mixed(study), study.named, execution)
    with NameStore.create(str(out / "names.db")) as store:
        sides = [_side(study, name, out, store, test, named, execution) for name in study.stagings]
    result = found(sides, study.staging, study.percent)
    if page := picture(sides, study.staging):
        save_picture(page, out / "bias.png")
    replace_file(out / "bias.json", json.dumps(result.to_json(), indent=2, ensure_ascii=False).encode())
    write_charts(out / "bias.html", [result.measured, result.words], subtitle=INTERVAL)
    return result


def _claim(out: Path, study: Bias, *, fresh: bool) -> None:
    """Make sure that the folder belongs to this study."""
    settings = json.dumps({"made by": this_version(), **asdict(study)}, sort_keys=True)
    file = out / "study.json"
    out.mkdir(parents=True, exist_ok=True)
    if fresh:
        for name in ("test", "named", "photographs", *study.stagings):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in ("names.db", "bias.png", "places.csv", *(f"{name}.safetensors" for name in study.stagings)):
            (out / name).unlink(missing_ok=True)
    elif file.exists() and file.read_text() != settings:
        raise CheckpointError(
            f"{out} holds another study of bias, or another version's; name another --out, or start over with --fresh"
        )
    replace_file(file, settings.encode())


def _drawn(folder: Path, scenes: Iterator[Scene], count: int, execution: Execution) -> ConceptDataset:
    """The scenes as files with labels."""

    def draw() -> None:
        write_drawn(
            folder, scenes, progress=lambda done: execution.report(f"drawing scenes: {folder.name}", done, count)
        )

    _make_once(folder, draw)
    return open_concepts(folder)


def _sort(test: ConceptDataset, study: Bias, out: Path) -> None:
    """The test scenes in a folder for each class, and the place of each as a table of groups."""
    folder, places = out / "photographs", ["image,group"]
    for index in range(study.tested):
        scene = test.files(index)[0]
        image = f"{study.staging.thing(index)}/{scene.name}"
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(scene, folder / image)
        places.append(f"{image},{study.staging.place(index)}")
    replace_file(out / "places.csv", "\n".join([*places, ""]).encode())


def _make_once(path: Path, make: Callable[[], object]) -> None:
    """Make a file or folder, unless it is as an earlier process made it."""
    note = path.with_name(f"{path.name}.checksums")
    if _is_as_made(path, note):
        return
    if path.is_dir():
        shutil.rmtree(path)
    make()
    files = (file for file in (path, *path.rglob("*")) if file.is_file())
    checksums = {str(file.relative_to(path.parent)): checksum(file.read_bytes()) for file in files}
    replace_file(note, json.dumps(checksums).encode())


def _is_as_made(path: Path, note: Path) -> bool:
    try:
        checksums = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return False
    return path.exists() and isinstance(checksums, dict) and are_as_written(path.parent, checksums)


def _mixed(study: Bias) -> Iterator[Scene]:
    """Scenes of every class, with each of the things and without any."""
    extras = ("", *study.staging.things)
    for index in range(study.named):
        yield draw_scene(study.seed + _NAMED, index, extra=extras[index // len(SCENE_CLASSES) % len(extras)])


def _side(
    study: Bias,
    name: str,
    out: Path,
    store: NameStore,
    test: ConceptDataset,
    named: ConceptDataset,
    execution: Execution,
) -> Side:
    """Train a network, measure it, name its neurons, and explain its predictions."""
    network = trained_network(study, name, out, execution)
    protocol, method = Attention(study.staging), METHODS["grad-cam"]
    ground = open_ground(out / "test", network.classes)
    evaluate(protocol, network, [method, *BASELINES], ground, out / name, execution=execution)
    lines = (out / name / f"{protocol.name}.jsonl").read_text().splitlines()[1:]
    paths = [test.files(index)[0] for index in range(len(test))]
    evidence = ClassImages(out / "test", tuple((path, index % 2) for index, path in enumerate(paths)))
    run = build(network, named, store, quantile=study.quantile, class_images=evidence, execution=execution).run
    explainer = Explainer.from_store(network, store, run=run, rules=Rules(among="all"))
    explanations = explainer.explain((test.image_name(index), test.photograph(index)) for index in range(len(test)))
    tested = network.classes[: study.tested]  # of a class without a test scene nothing is known
    concepts = {label: store.concepts_of(run, index, rank_by="alpha") for index, label in enumerate(tested)}
    return Side(name, [json.loads(line) for line in lines], list(explanations), concepts)


def trained_network(study: Bias, name: str, out: Path, execution: Execution) -> Network:
    """One of the study's networks, trained only once.

    Args:
        study: what is staged.
        name: ``biased`` or ``rebalanced``.
        out: the study's folder, which keeps the weights.
        execution: only its progress counts.
    """
    file, module = out / f"{name}.safetensors", ScenesNet(len(study.staging.things))

    def train() -> None:
        state = _train(study, name, execution).state_dict()
        replace_file(file, save({key: value.contiguous() for key, value in state.items()}))

    _make_once(file, train)
    module.load_state_dict(load_file(file))
    expected = open_network("scenes").preprocessing
    things = study.staging.things
    return Network.from_module(module.eval(), layer=LAYER, preprocessing=expected, classes=things, name=name)


def _train(study: Bias, name: str, execution: Execution) -> ScenesNet:
    staging, epochs = study.stagings[name], study.training.epochs
    drawn = []
    for index in range(study.images):
        drawn.append(pixels(staging.draw(study.seed + _TRAINING, index).photograph))
        execution.report(f"drawing scenes: {name}", index + 1, study.images)
    classes = torch.from_numpy(np.arange(study.images) % 2)
    return fine_tune(
        stacked(drawn),
        classes,
        study.training,
        progress=lambda done, _: execution.report(f"training: {name}", done, epochs),
    )
