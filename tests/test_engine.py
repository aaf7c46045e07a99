"""The engine against the plain implementation, for any batches, ranks and workers, and resumed from any point."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import plain_dissection
from thread_ranks import on_ranks
from torch import nn
from worlds import MemoryConcepts, colour_concepts, colour_network, table_world

import dissection.engine.cells as cells_module
import dissection.execution.checkpoint as checkpoint_module
from dissection.dissect import dissect, dissect_layers
from dissection.engine.upsampling import centre
from dissection.errors import ActivationError, CheckpointError, ConceptDataError
from dissection.execution.checkpoint import Checkpoint
from dissection.execution.scratch import scratch
from dissection.execution.settings import Execution
from dissection.networks.network import Network
from dissection.vocabulary import Concept, Labels, Layer

CONCEPTS = {number: Concept(number, f"c{number}", ("object", "color", "scene")[number % 3]) for number in range(1, 30)}
CATEGORIES = ("object", "color", "scene")


def world(seed, images=60, units=12, size=(4, 5)):
    """Sparse, dense, dead, saturated and negative units; labels on several layers, whole images, of several sizes."""
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(images, units, *size)) * generator.uniform(0.1, 10, (1, units, 1, 1))
    maps[:, : units // 2] = np.maximum(maps[:, : units // 2], 0)
    maps[:, 0] = 0
    maps[:, 1] = np.minimum(maps[:, 1], 0.5)
    maps[: images // 2, 2] = 3
    maps[:, 3] = np.maximum(maps[:, 3] - 2 * np.abs(maps[:, 3]).mean(), 0)
    labels = []
    for _ in range(images):
        layers = generator.integers(0, 4)
        shape = [(9, 8), (16, 20), (3, 3)][generator.integers(0, 3)]
        numbers = generator.choice([0, 0, *range(1, 30)], (layers, *shape)).astype(np.int32)
        whole = tuple(sorted(set(generator.integers(1, 30, generator.integers(0, 3)).tolist())))
        labels.append(Labels(numbers, whole))
    return table_world(torch.tensor(maps, dtype=torch.float32), labels, CONCEPTS, CATEGORIES)


@pytest.fixture
def small_files(monkeypatch):
    """Checkpoints after every batch, and pruning all the time."""
    monkeypatch.setattr(checkpoint_module, "_PAUSE", 0)
    monkeypatch.setattr(checkpoint_module, "_SHARE", 1e9)
    monkeypatch.setattr(cells_module, "_SEGMENT", 2000)
    monkeypatch.setattr(cells_module, "_ROOM", 0)
    monkeypatch.setattr(cells_module, "_GROWTH", 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.005, 0.03, 0.2]), st.sampled_from([1, 7, 16, 100]))
def test_equals_the_plain_implementation(seed, quantile, batch_size):
    network, concepts = world(seed)
    plain = plain_dissection(network, concepts, quantile=quantile, min_images=3)
    execution = Execution(batch_size=batch_size)
    assert dissect(network, concepts, quantile=quantile, min_images=3, execution=execution) == plain


@pytest.mark.usefixtures("small_files")
def test_equals_the_plain_implementation_while_pruning():
    network, concepts = world(1, images=120)
    plain = plain_dissection(network, concepts, quantile=0.02, min_images=3)
    assert dissect(network, concepts, quantile=0.02, min_images=3, execution=Execution(batch_size=3)) == plain


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("count", [2, 3, 4])
def test_ranks_agree_with_one(count, monkeypatch):
    monkeypatch.setattr("dissection.dissect._SHARING", 2)
    network, concepts = world(2, images=90)
    plain = plain_dissection(network, concepts, quantile=0.02, min_images=3)

    def work(ranks):
        return dissect(network, concepts, quantile=0.02, min_images=3, execution=Execution(batch_size=4, ranks=ranks))

    assert on_ranks(count, work) == [plain] * count


@given(st.integers(1, 40), st.integers(1, 300))
def test_a_cells_centre_lies_on_the_pixel_that_holds_it(cells, pixels):
    for cell in range(cells):
        pixel, place = centre(cell, cells, pixels), Fraction(2 * cell + 1, 2 * cells) * pixels
        assert pixel <= place < pixel + 1
        assert pixel in range(pixels)


class CountedLabels(MemoryConcepts):
    """Notes which images' labels are read."""

    def labels(self, index):
        self.__dict__.setdefault("read", []).append(index)
        return super().labels(index)


def counted(concepts):
    return CountedLabels(concepts.photographs, concepts.all_labels, concepts.concepts, concepts.categories)


@pytest.mark.usefixtures("small_files")
def test_labels_are_read_once_and_after_a_stop_again_only_those_of_exemplars(tmp_path):
    network, concepts = world(9, images=60, units=4)
    once = counted(concepts)
    whole = dissect(network, once, quantile=0.02, min_images=3, execution=Execution(5))
    assert sorted(once.read) == list(range(60))

    def stop(now, done, _total):
        if now.startswith("comparing") and done == 45:
            raise StoppedError

    with pytest.raises(StoppedError):
        dissect(network, concepts, quantile=0.02, min_images=3, execution=Execution(5, scratch=tmp_path, progress=stop))
    again = counted(concepts)
    resumed = dissect(network, again, quantile=0.02, min_images=3, execution=Execution(5, scratch=tmp_path))
    assert resumed == whole
    assert any(exemplar.concepts for unit in whole.units for exemplar in unit.exemplars)
    exemplars = {exemplar.index for unit in whole.units for exemplar in unit.exemplars}
    compared = [image for image in again.read if image < 44]  # the last checkpoint is of the block before
    assert sorted(compared) == sorted(image for image in exemplars if image < 44)
    assert 0 < len(compared) < 40


def test_more_ranks_than_batches():
    network, concepts = world(3, images=5)
    plain = plain_dissection(network, concepts, quantile=0.1, min_images=1)

    def work(ranks):
        return dissect(network, concepts, quantile=0.1, min_images=1, execution=Execution(batch_size=2, ranks=ranks))

    assert on_ranks(4, work) == [plain] * 4


def test_a_worker_does_not_matter():
    """Nor do two: `test_evidence` asks that of names with their evidence."""
    network, concepts = world(4, images=20)
    plain = plain_dissection(network, concepts, quantile=0.1, min_images=1)
    assert dissect(network, concepts, quantile=0.1, min_images=1, execution=Execution(4, 1)) == plain


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_readers_arrive_as_they_were_raised(workers):
    class Bad(MemoryConcepts):
        def photograph(self, index):
            if index == 3:
                raise ConceptDataError("photo 3 is bad; mend it")
            return super().photograph(index)

    good = colour_concepts(8)
    bad = Bad(good.photographs, good.all_labels, good.concepts, good.categories)
    with pytest.raises(ConceptDataError, match=r"^photo 3 is bad; mend it$"):
        dissect(colour_network(), bad, execution=Execution(2, workers))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_gpu_gives_the_same(workers):
    network, concepts = world(8, images=40)
    plain = plain_dissection(network, concepts, quantile=0.02, min_images=3)
    assert dissect(network.to("cuda"), concepts, quantile=0.02, min_images=3, execution=Execution(7, workers)) == plain


class StoppedError(Exception):
    pass


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("stage", ["looking at the photographs", "comparing neurons with concepts"])
def test_goes_on_where_it_stopped_to_the_same_result(tmp_path, stage):
    network, concepts = world(5, images=60)
    plain = plain_dissection(network, concepts, quantile=0.02, min_images=3)
    passes = []
    network.module.register_forward_hook(lambda *_: passes.append(1))

    def stop(now, done, _total):
        if now == stage and done == 40:
            raise StoppedError

    with pytest.raises(StoppedError):
        dissect(network, concepts, quantile=0.02, min_images=3, execution=Execution(5, scratch=tmp_path, progress=stop))
    before = len(passes)
    assert dissect(network, concepts, quantile=0.02, min_images=3, execution=Execution(5, scratch=tmp_path)) == plain
    assert len(passes) - before == (0 if "comparing" in stage else 12 - 7)  # the batch it stopped in is done again


@pytest.mark.usefixtures("small_files")
def test_ranks_go_on_from_different_places(tmp_path):
    network, concepts = world(6, images=60)
    plain = plain_dissection(network, concepts, quantile=0.02, min_images=3)

    def work(ranks, stops_at=None):
        def stop(_stage, done, _total):
            if stops_at and done >= stops_at[ranks.number]:
                raise StoppedError

        execution = Execution(3, ranks=ranks, scratch=tmp_path / str(ranks.number), progress=stop)
        return dissect(network, concepts, quantile=0.02, min_images=3, execution=execution)

    for number in range(2):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(Exception):  # noqa: B017, PT011 -- one stops, and the other's barrier breaks
        on_ranks(2, lambda ranks: work(ranks, [20, 50]))
    assert on_ranks(2, work) == [plain] * 2


class TwoMaps(nn.Module):
    """An early map of 3 units, and a late one of 5 that is made of it."""

    def __init__(self):
        super().__init__()
        self.early = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True))
        self.late = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(inplace=True))
        self.head = nn.Linear(5, 4)

    def forward(self, x):
        return self.head(self.late(self.early(x)).square().mean((2, 3)))


def test_several_layers_in_one_pass_are_what_each_is_alone():
    torch.manual_seed(0)
    one = colour_network()
    network = Network(TwoMaps().eval(), "Two", Layer("late", 5, 15, 15), one.preprocessing, one.classes)
    early, late = Layer("early", 3, 32, 32), Layer("late", 5, 15, 15)
    concepts = colour_concepts()
    passes = []
    handle = network.module.register_forward_hook(lambda *_: passes.append(1))
    found = dissect_layers(network, [late, early], concepts, quantile=0.05)
    handle.remove()
    assert len(passes) == 3
    assert found == [dissect_layers(network, [layer], concepts, quantile=0.05)[0] for layer in (late, early)]
    assert network.at("early").layer == early


def test_a_bad_image_is_named_after_a_pass_ahead():
    maps = torch.rand(6, 1, 2, 2)
    maps[4, 0, 1, 1] = float("nan")
    network, concepts = table_world(maps, [Labels(np.ones((1, 2, 2), np.int32))] * 6, CONCEPTS, CATEGORIES)
    with pytest.raises(ActivationError, match="photo 4"):
        dissect(network, concepts, execution=Execution(2))


def leave_behind(folder):
    """What a process that is killed leaves in its scratch folder."""

    def stop(own):
        (own / "state").write_text("1")
        raise StoppedError

    with pytest.raises(StoppedError), scratch(folder, ranks=1, rank=0, fresh=False) as own:
        stop(own)


def test_scratch_is_one_builds_own_and_gone_in_the_end(tmp_path):
    folder = tmp_path / "unfinished" / "run"
    with scratch(folder, ranks=1, rank=0, fresh=False) as own:
        (own / "state").write_text("1")
        with (
            pytest.raises(CheckpointError, match="another process is working on this job"),
            scratch(folder, ranks=1, rank=0, fresh=False),
        ):
            pass
    assert not (tmp_path / "unfinished").exists()
    leave_behind(folder)
    with (
        pytest.raises(CheckpointError, match=r"1 processes did not finish.*one of 2.*--fresh"),
        scratch(folder, ranks=2, rank=1, fresh=False),
    ):
        pass
    with scratch(folder, ranks=1, rank=0, fresh=False) as own:
        assert (own / "state").exists()
        (own / "state").write_text("2")
        with pytest.raises(CheckpointError), scratch(folder, ranks=1, rank=0, fresh=True):
            pass
        assert (own / "state").read_text() == "2"
    leave_behind(folder)
    with scratch(folder, ranks=2, rank=0, fresh=True) as own:
        assert list(own.iterdir()) == []
        assert not (folder / "0-of-1").exists()


def test_a_damaged_checkpoint_is_refused(tmp_path):
    network, concepts = world(7, images=10)
    (tmp_path / "dissection-00000001.state").write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match=r"damaged.*--fresh"):
        dissect(network, concepts, execution=Execution(5, scratch=tmp_path))


def test_a_checkpoint_that_cannot_be_written_is_the_disks_error(tmp_path):
    checkpoint = Checkpoint(tmp_path / "states", "dissection")
    (tmp_path / "states").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        checkpoint.save({"counts": np.arange(3)})
    assert caught.value.filename == str(tmp_path / "states" / "dissection-00000000.new")
