"""Concepts as a second target of training."""

import numpy as np
import pytest
import torch

from dissection.scenes.classifier import ScenesNet
from dissection.scenes.presence import SIDE, Batch, ConceptHead, count_cells, draw_quarters
from dissection.scenes.scene import draw_scene
from dissection.scenes.training import Training, pixels, stacked, train
from dissection.scenes.words import SCENE_CLASSES, number

CONCEPTS = [number("object", name) for name in ("sky", "sea", "umbrella", "bed")]


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(9, index) for index in range(8)]


@pytest.fixture(scope="module")
def cells(scenes):
    return torch.from_numpy(np.stack([count_cells(scene.labels.values(), CONCEPTS) for scene in scenes]))


def test_cells_count_the_pixels_of_concepts(scenes, cells):
    for scene, counts in zip(scenes, cells, strict=True):
        for index, concept in enumerate(CONCEPTS):
            shown = scene.labels["object"] == concept
            for row in range(SIDE):
                for column in range(SIDE):
                    seen = shown[16 * row : 16 * (row + 1), 16 * column : 16 * (column + 1)].sum()
                    assert counts[row, column, index] == min(seen, 255)


def test_four_quarters_cover_each_cell_once_and_none_is_thin():
    quarters = draw_quarters(50)
    assert (quarters.sum(1) == 1).all()
    assert quarters.sum((2, 3)).min() >= 4
    assert len({tuple(quarter.flatten().tolist()) for quarter in quarters[:, 0]}) > 5


def test_a_joined_scene_has_the_pixels_concepts_and_classes_of_its_quarters():
    """Scene k is of class k; all its pixels are k, and all its cells show k pixels of the only concept."""
    count = 6
    numbers = torch.arange(count)
    whole = Batch(
        numbers.float()[:, None, None, None].expand(count, 3, 112, 112),
        torch.eye(count),
        numbers.to(torch.uint8)[:, None, None, None].expand(count, SIDE, SIDE, 1),
        draw_quarters(count),
    )
    joined = whole.joined(4)
    for scene in range(count):
        sources = joined.cells[scene, :, :, 0].long()
        assert (joined.images[scene, 0, ::16, ::16] == sources).all()
        shares = torch.bincount(sources.flatten(), minlength=count) / SIDE**2
        torch.testing.assert_close(joined.classes[scene], shares)
        for quarter in joined.quarters[scene]:
            assert len(set(sources[quarter].tolist())) == 1
    assert (joined.cells[4:] == whole.cells[4:]).all()
    assert len(set(joined.cells[:4].flatten().tolist())) > 1


def test_a_concept_is_present_from_eight_pixels_on():
    cells = torch.zeros(1, SIDE, SIDE, 2, dtype=torch.uint8)
    cells[0, 0, 0, 0], cells[0, 0, 1, 0], cells[0, 6, 6, 1] = 4, 4, 7
    batch = Batch(torch.zeros(1, 3, 112, 112), torch.ones(1, 1), cells, draw_quarters(1))
    assert batch.present().tolist() == [[[True, False], [False, False], [False, False], [False, False]]]


def test_the_head_wants_a_units_peak_where_its_concept_is_and_silence_elsewhere(cells):
    clear = cells.where(cells >= 8, 0)
    batch = Batch(torch.zeros(8, 3, 112, 112), torch.ones(8, 1), clear, draw_quarters(8))
    shown = (clear > 0).permute(0, 3, 1, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    right = torch.cat([10.0 * shown, torch.ones(8, 3, 14, 14)], 1)
    head = ConceptHead(len(CONCEPTS))
    wrong_of_right, noise_of_right = head.losses(right, batch)
    wrong_of_reversed, noise_of_reversed = head.losses(10 - right, batch)
    assert wrong_of_right < 0.1 < wrong_of_reversed
    assert noise_of_right == 0 < noise_of_reversed


def test_concepts_change_training_which_is_repeatable_and_leaves_no_head(scenes, cells):
    images, classes = stacked(pixels(scene.photograph) for scene in scenes), torch.arange(8) % len(SCENE_CLASSES)
    how = Training(epochs=1, batch=4)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    plain = train(images, classes, how)
    one, other = (train(images, classes, how, cells=cells) for _ in range(2))
    torch.testing.assert_close(torch.get_rng_state(), before)
    assert one.state_dict().keys() == ScenesNet(8).state_dict().keys()
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=0, atol=0)
        assert not torch.equal(value, plain.state_dict()[name])
    assert not one.training
