"""Statistics of classes against the definitions written out slowly, with and without images of classes."""

import math
import re
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from PIL import Image
from thread_ranks import on_ranks
from torch import nn
from worlds import MemoryConcepts, Square, Table, slow_threshold

from db import NameStore
from db.records import STATISTICS
from dissection.engine.class_moments import ClassMoments
from dissection.engine.lit_means import lit_means
from dissection.errors import ActivationError, CheckpointError
from dissection.execution.row_file import RowFile
from dissection.execution.settings import Execution
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Concept, Labels, Layer
from neuronexplain.building import build_layers
from neuronexplain.class_images import ClassImages

IMAGES, UNITS, GRID, CLASSES = 37, 7, (3, 4), ("ape", "bee", "cat")
QUANTILE = 0.1
NEVER, SATURATED, STEADY = 0, 1, 2
CONSTANT, TOP, PLATEAU = 2.0, 6.0, 3.0


def world_maps():
    """Maps with a unit that is constant, one that saturates, one that is constant for a while, and negative values."""
    maps = np.random.default_rng(3).normal(size=(IMAGES, UNITS, *GRID)).astype(np.float32)
    maps[:, NEVER] = CONSTANT
    maps[:, SATURATED] = np.where(maps[:, SATURATED] > 0.5, TOP, np.abs(maps[:, SATURATED]))
    maps[:20, STEADY] = PLATEAU
    maps[20:, STEADY] = np.abs(maps[20:, STEADY]) / 2
    return torch.from_numpy(maps)


MAPS = world_maps()


def world_module():
    """Alphas depend on the image."""
    torch.manual_seed(1)
    cells = UNITS * math.prod(GRID)
    head = [nn.Flatten(), nn.Linear(cells, 6), Square(), nn.Linear(6, len(CLASSES))]
    return nn.Sequential(Table(MAPS), *head).eval()


MODULE = world_module()


def network_and_concepts():
    module = deepcopy(MODULE)
    preprocessing = Preprocessing(size=(2, 2), resize=(2, 2), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    network = Network(module, "Table", Layer("0", UNITS, *GRID), preprocessing, CLASSES)
    labels = [Labels(np.full((1, 6, 8), index % 3, np.int32)) for index in range(IMAGES)]
    concepts = {number: Concept(number, f"c{number}", "object") for number in (1, 2)}
    return network, MemoryConcepts([photograph(index) for index in range(IMAGES)], labels, concepts, ("object",))


def photograph(index):
    return Image.new("RGB", (2, 2), (index, 0, 0))


@pytest.fixture(scope="module")
def class_images(tmp_path_factory):
    """Every other image, in an order of their own, for classes that the network may not predict."""
    root = tmp_path_factory.mktemp("classes")
    images = []
    for place, index in enumerate(reversed(range(0, IMAGES, 2))):
        images.append((root / f"{place}.png", place % 2))
        photograph(index).save(images[-1][0])
    return ClassImages(root, tuple(images))


def slow_statistics(images, classes=None):
    """Statistics by class, from loops over all activations; a class without images is a missing key."""
    network, _ = network_and_concepts()
    thresholds = [slow_threshold(MAPS[:, unit].flatten().tolist(), QUANTILE) for unit in range(UNITS)]
    values = {}
    for place, index in enumerate(images):
        activation = MAPS[index : index + 1].clone().requires_grad_()
        scores = network.module[1:](activation)[0]
        chosen = int(scores.argmax()) if classes is None else classes[place]
        (slope,) = torch.autograd.grad(scores[chosen], activation)
        rows = []
        for unit in range(UNITS):
            cells = MAPS[index, unit].flatten().tolist()
            alpha = slope[0, unit].double().sum().item() / len(cells)
            lit = sum(cell for cell in cells if cell > thresholds[unit])
            rows.append((alpha, alpha * sum(cells) / len(cells), alpha * lit / len(cells)))
        values.setdefault(chosen, []).append(rows)
    return {
        index: (len(rows), np.mean(rows, 0).T, np.mean(np.square(rows), 0).T) for index, rows in sorted(values.items())
    }


def built(batch_size=4, *, class_images=None, draws=2, store=True, **execution):
    """The importances of a build; of several ranks, only rank 0 has them."""
    network, concepts = network_and_concepts()
    with TemporaryDirectory() as folder, NameStore.create(Path(folder) / "names.db") as database:
        runs = build_layers(
            [network],
            concepts,
            database if store else None,
            quantile=QUANTILE,
            min_images=2,
            class_images=class_images,
            draws=draws,
            execution=Execution(batch_size, **execution),
        )
        return numbers(database, runs[0].run) if store else None


def numbers(store, run):
    importances = [store.importance(run, index) for index in store.class_images(run)]
    names = ("alphas", "contributions", *STATISTICS)
    return [(one.index, one.images, {name: as_list(getattr(one, name)) for name in names}) for one in importances]


def as_list(array):
    return None if array is None else array.tolist()


def matches(found, wanted):
    assert [(index, images) for index, images, _ in found] == [(index, one[0]) for index, one in wanted.items()]
    for index, _, arrays in found:
        _, means, squares = wanted[index]
        of = {"alphas": means[0], "contributions": means[1], "lits": means[2]}
        of |= {"alpha_squares": squares[0], "contribution_squares": squares[1], "lit_squares": squares[2]}
        for name, values in of.items():
            assert arrays[name] == pytest.approx(values.tolist(), rel=2e-5, abs=1e-7), (index, name)
    return True


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_statistics_are_those_of_a_slow_loop(batch_size):
    found = built(batch_size)
    assert matches(found, slow_statistics(range(IMAGES)))
    assert all(arrays["lits"][NEVER] == arrays["lit_squares"][NEVER] == 0 for _, _, arrays in found)
    assert all(arrays["contributions"][NEVER] != 0 for _, _, arrays in found)
    assert any(arrays["lits"][STEADY] != 0 for _, _, arrays in found)
    assert any(arrays["lits"][SATURATED] != 0 for _, _, arrays in found)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_statistics_over_images_of_classes_are_those_of_a_slow_loop(batch_size, class_images):
    images = list(reversed(range(0, IMAGES, 2)))
    wanted = slow_statistics(images, class_images.classes.tolist())
    assert list(wanted) == [0, 1]
    assert matches(built(batch_size, class_images=class_images), wanted)


def test_the_world_has_what_it_is_for():
    thresholds = [slow_threshold(MAPS[:, unit].flatten().tolist(), QUANTILE) for unit in range(UNITS)]
    assert thresholds[NEVER] == CONSTANT
    assert thresholds[SATURATED] < TOP
    assert (MAPS[:, SATURATED] == TOP).float().mean() > QUANTILE
    assert thresholds[STEADY] < PLATEAU
    assert len(slow_statistics(range(IMAGES))) > 1


def test_without_draws_there_are_the_same_means_and_nothing_else(class_images):
    for images in (None, class_images):
        plain, more = built(draws=0, class_images=images), built(class_images=images)
        assert [(index, count) for index, count, _ in plain] == [(index, count) for index, count, _ in more]
        for (_, _, arrays), (_, _, others) in zip(plain, more, strict=True):
            assert {arrays[name] for name in STATISTICS} == {None}
            assert (arrays["alphas"], arrays["contributions"]) == (others["alphas"], others["contributions"])


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("over_classes", [False, True])
def test_statistics_do_not_depend_on_ranks(count, over_classes, class_images):
    images = class_images if over_classes else None
    alone = built(class_images=images)
    told = on_ranks(count, lambda ranks: built(class_images=images, store=ranks.number == 0, ranks=ranks))
    assert told[0] == alone


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    ("stage", "at"),
    [
        *(("looking at the photographs", at) for at in (4, 20, 36)),
        *(("comparing neurons with concepts", at) for at in (4, 20, 37)),
        *(("looking at the images of each class", at) for at in (4, 16)),
    ],
)
def test_statistics_do_not_depend_on_where_a_build_was_stopped(stage, at, class_images, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)
    images = class_images if "class" in stage else None

    def stop(current, done, _total):
        if current == stage and done == at:
            raise StoppedError

    with pytest.raises(StoppedError):
        built(class_images=images, scratch=tmp_path / "unfinished", progress=stop)
    assert built(class_images=images, scratch=tmp_path / "unfinished") == built(class_images=images)
    assert not (tmp_path / "unfinished").exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_alphas_are_refused(damage, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)

    def stop(stage, done, _total):
        if "comparing" in stage and done == 8:
            raise StoppedError

    with pytest.raises(StoppedError):
        built(scratch=tmp_path, progress=stop)
    (path,) = tmp_path.rglob("alphas")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data if damage == "changed" else data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"alphas is damaged; start the build again with --fresh$"):
        built(scratch=tmp_path)


def test_what_a_build_puts_aside_has_one_row_for_each_image(tmp_path):
    sizes = []

    def look(stage, _done, _total):
        if "comparing" in stage:
            sizes.extend(path.stat().st_size for path in tmp_path.rglob("alphas"))

    built(scratch=tmp_path, progress=look)
    assert set(sizes) == {IMAGES * (8 + 4 * UNITS + 4)}


def test_the_network_runs_once_over_each_image(tmp_path):
    network, concepts = network_and_concepts()
    seen = []
    network.module.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    with NameStore.create(tmp_path / "names.db") as store:
        build_layers([network], concepts, store, quantile=QUANTILE, draws=2, execution=Execution(8))
    assert seen.count(8) == IMAGES // 8


def test_moments_are_exact_for_small_and_large_numbers():
    moments = ClassMoments((3,), "numbers")
    rows = np.array([[1e-9, 1e9, -3.0], [3e-9, -1e9, 0.5]], np.float32)
    moments.add(np.array([4, 4]), rows)
    ((index, (count, means, squares)),) = moments.means().items()
    wide = rows.astype(np.float64)
    assert (index, count) == (4, 2)
    assert means.tolist() == pytest.approx(wide.mean(0).tolist(), rel=1e-9, abs=1e-18)
    assert squares.tolist() == pytest.approx((wide**2).mean(0).tolist(), rel=1e-3)
    assert squares[1:].tolist() == (wide**2).mean(0)[1:].tolist()


def test_squares_that_cannot_be_summed_are_refused():
    with pytest.raises(ActivationError, match=re.escape("numbers are not finite")):
        ClassMoments((1,), "numbers").add(np.array([0]), np.array([[np.inf]], np.float32))


def test_lit_means_ignore_what_was_not_kept():
    maps = np.array([[[1.0, -np.inf], [3.0, 2.0]], [[-1.0, -3.0], [-np.inf, -np.inf]]], np.float32)
    found = lit_means(np.array([0, 1], np.int32), np.array([2, 0], np.int32), maps, np.array([-2.0, 0.0, 1.0]), 3)
    assert found.tolist() == [[0, 0, 5 / 4], [-1 / 4, 0, 0], [0, 0, 0]]


def test_rows_may_be_written_in_any_order_and_again(tmp_path):
    rows = np.arange(12, dtype="<i4").reshape(6, 2).copy().view([("a", "<i4"), ("b", "<i4")])[:, 0]
    file = RowFile(tmp_path / "rows", rows.dtype)
    file.write(4, rows[:2])
    with pytest.raises(CheckpointError, match="damaged"):
        file.read(range(3, 5))
    file.write(0, rows[2:6])
    file.write(1, rows[:2])
    assert file.read(range(6)).tolist() == rows[[2, 0, 1, 5, 0, 1]].tolist()
    assert file.read(range(2, 2)).tolist() == []


def test_rows_that_have_changed_places_are_noticed(tmp_path):
    rows = np.arange(4, dtype="<i8")
    file = RowFile(tmp_path / "rows", rows.dtype)
    file.write(0, rows)
    content, size = (tmp_path / "rows").read_bytes(), 12
    swapped = content[size : 2 * size] + content[:size] + content[2 * size :]
    (tmp_path / "rows").write_bytes(swapped)
    assert file.read(range(2, 4)).tolist() == [2, 3]
    for number in range(2):
        with pytest.raises(CheckpointError, match="rows is damaged"):
            file.read(range(number, number + 1))
