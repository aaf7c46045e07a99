"""Maps that see no image stand in every table as the paper's methods do."""

import math

import numpy as np
import pytest
import torch
from test_evaluate import FLAT, PERFECT, Squares, rows
from worlds import colour_network

from neuronexplain.evaluation.baselines import BASELINES, CENTRE, NOTHING, WHOLE
from neuronexplain.evaluation.protocols.localisation import Localisation
from neuronexplain.evaluation.protocols.occlusion_correlation import OcclusionCorrelation
from neuronexplain.evaluation.protocols.pointing import Pointing
from neuronexplain.evaluation.protocols.ratio import Ratio
from neuronexplain.evaluation.protocols.seeds import Seeds
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.metrics.pointing_game import peak


@pytest.mark.parametrize("size", [(7, 7), (8, 12), (33, 16), (1, 5)])
def test_the_maps_pixel_by_pixel(size):
    height, width = size
    images = torch.rand(2, 3, height, width)
    for method, expected in (
        (WHOLE, lambda _row, _column: 1),
        (NOTHING, lambda _row, _column: 0),
        (
            CENTRE,
            lambda row, column: max(
                1
                - math.hypot(
                    (row - height // 2) / max(height / 2, 1),
                    (column - width // 2) / max(width / 2, 1),
                ),
                0,
            ),
        ),
    ):
        maps = method.maps(colour_network(), images, 0)
        slow = np.array([[expected(row, column) for column in range(width)] for row in range(height)])
        assert maps.shape == (2, height, width)
        np.testing.assert_allclose(maps[0], slow, atol=1e-6)
        assert torch.equal(maps[0], maps[1])
    assert peak(CENTRE.maps(colour_network(), images, 0)[0].numpy()) == (height // 2, width // 2)


def test_the_whole_picture_is_the_same_row_as_the_protocols_own(tmp_path):
    report = evaluate(Localisation(), colour_network(), [WHOLE, PERFECT], Squares(), tmp_path)
    of_the_protocol, of_the_map, _ = report.rows
    assert of_the_map["method"] == "(the whole picture)"
    assert of_the_map == of_the_protocol


def test_rejecting_everything_finds_no_box_and_no_pixel(tmp_path):
    boxes = rows(evaluate(Localisation(), colour_network(), [NOTHING], Squares(), tmp_path))
    assert boxes["(rejecting everything)"]["box_1"].value == 100
    seeds = rows(evaluate(Seeds(), colour_network(), [NOTHING, WHOLE], Squares(), tmp_path))
    assert seeds["(rejecting everything)"]["iou"].value == 0
    assert seeds["(the whole picture)"]["recall"].value == 100


def test_what_is_so_by_definition(tmp_path):
    ratio = rows(evaluate(Ratio(), colour_network(), list(BASELINES), Squares(), tmp_path))
    assert ratio["(the whole picture)"]["ratio"].value == 1
    assert ratio["(rejecting everything)"]["ratio"].images == 0
    correlation = rows(evaluate(OcclusionCorrelation(), colour_network(), list(BASELINES), Squares(), tmp_path))
    assert correlation["(the whole picture)"]["correlation"].value == 0
    assert correlation["(rejecting everything)"]["correlation"].value == 0


def test_pointing_at_the_centre_is_the_map_of_the_centre(tmp_path):
    report = evaluate(Pointing(), colour_network(), [CENTRE, FLAT], Squares(), tmp_path)
    centres = [row for row in report.rows if row["method"] == "(the centre)"]
    assert len(centres) == 2
    assert centres[0] == centres[1]
    assert math.isfinite(centres[0]["reject"].value)
