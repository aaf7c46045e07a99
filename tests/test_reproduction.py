"""The reproduction report says of the paper's claims no more than was measured."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from worlds import MemoryConcepts, colour_network

from dissection.errors import NetworkError
from dissection.execution.settings import Execution
from dissection.networks.forward import forward
from dissection.scenes.words import SCENE_CLASSES
from neuronexplain.evaluation.baselines import BASELINES
from neuronexplain.evaluation.tables import Report, shown
from neuronexplain.methods import METHODS
from neuronexplain.metrics.intervals import Figure, difference, figure

SCRIPTS = Path(__file__).parents[1] / "scripts" / "reproduce"
TITLES = {baseline.name: baseline.title for baseline in BASELINES}
HOLDS, OPPOSITE, UNCLEAR = "holds", "does not hold", "cannot tell"


@pytest.fixture
def script(monkeypatch):
    """Imports a module of the script."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield import_module
    for path in SCRIPTS.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def report(script):
    return script("report")


@pytest.fixture
def verdicts(script):
    return script("verdicts")


def around(value, margin=0.1, images=40):
    """A figure in the middle of its interval."""
    return Figure(value, value - margin, value + margin, images)


def table(report, protocol, column, **figures):
    """A table with one figure for each row, named as the claims name it."""
    titles = {name: method.title for name, method in METHODS.items()} | TITLES
    rows = tuple(
        {"method": titles[name.replace("_", "-")], column: value if isinstance(value, Figure) else around(value)}
        for name, value in figures.items()
    )
    columns = {"method": "method", column: "the figure"}
    return report.Measured(protocol, "a network", "40 images", Report("What was measured", columns, rows, ("a note",)))


def verdicts_of(report, *tables):
    return {(*entry.claim.more, *entry.claim.less): str(entry.verdict) for entry in report.judged(tables)}


def test_an_order_like_the_papers_holds(report):
    measured = table(report, "ratio", "ratio", grad_cam=3.0, guided_backprop=2.0, guided_grad_cam=6.0, whole_picture=1)
    assert set(verdicts_of(report, measured).values()) == {HOLDS}
    assert report.opposites([measured]) == []
    text = report.document([measured], [("A picture", "a.png")], [])
    assert text.count("| **holds** |") == 3
    assert "hold: 3, of which 0 do not beat every baseline; do not hold: 0; cannot be told: 0" in text
    assert f"| Grad-CAM | 3.27 | {shown(around(3.0))} |" in text
    assert "![A picture](a.png)" in text
    assert "- a note" in text


def test_the_opposite_is_said_only_where_the_intervals_are_apart(report):
    measured = table(report, "ratio", "ratio", grad_cam=2.0, guided_backprop=2.15, guided_grad_cam=1.0)
    assert verdicts_of(report, measured) == {
        ("grad-cam", "ratio", "guided-backprop", "ratio"): UNCLEAR,
        ("guided-grad-cam", "ratio", "grad-cam", "ratio"): OPPOSITE,
        ("guided-grad-cam", "ratio", "guided-backprop", "ratio"): OPPOSITE,
    }
    lines = report.opposites([measured])
    assert [line.split(":")[1].split(",")[0].strip() for line in lines] == [
        "Guided Grad-CAM > Grad-CAM",
        "Guided Grad-CAM > Guided Backpropagation",
    ]
    assert report.document([measured], [], ["cam: why not"]).count("| **cannot tell** |") == 1


def test_what_was_not_measured_is_not_judged(report):
    nothing = Figure(np.nan, np.nan, np.nan, 0)
    measured = table(report, "ratio", "ratio", grad_cam=2.0, guided_backprop=nothing)
    assert report.judged([measured]) == []
    assert "| **holds** |" not in report.document([measured], [], [])


@pytest.mark.parametrize("seed", range(40))
def test_a_verdict_agrees_with_a_slow_look_at_every_pair_of_values(verdicts, seed):
    """All values of one interval against all of the other, in whole numbers."""
    one, other = np.sort(np.random.default_rng(seed).integers(0, 12, (2, 2))).tolist()
    pairs = [(a, b) for a in range(one[0], one[1] + 1) for b in range(other[0], other[1] + 1)]
    expected = HOLDS if all(a > b for a, b in pairs) else OPPOSITE if all(a < b for a, b in pairs) else UNCLEAR
    assert verdicts.compare(tuple(one), tuple(other)) == expected


@pytest.mark.parametrize(("more", "less", "verdict"), [((2, 3), (1, 2), UNCLEAR), ((1, 2), (2, 3), UNCLEAR)])
def test_a_common_end_is_an_overlap(verdicts, more, less, verdict):
    assert verdicts.compare(more, less) == verdict


def test_unknown_figures_cannot_be_compared(verdicts):
    assert verdicts.compare((np.nan, np.nan), (0, 1)) == UNCLEAR


@pytest.mark.parametrize("seed", range(12))
def test_intervals_that_are_apart_are_never_of_images_whose_differences_leave_it_open(verdicts, seed):
    """So the plain rule, without pairs, claims nothing that the same images would not."""
    generator = np.random.default_rng(seed)
    common, ones = generator.normal(size=60), np.ones(60)
    sign = generator.choice([-1, 1])  # of how one method does where the other does well
    first = common + generator.uniform(0, 1.2) + 0.3 * generator.normal(size=60)
    second = sign * common + 0.3 * generator.normal(size=60)
    paired = difference((first, ones), (second, ones))
    match verdicts.compare(verdicts.interval(figure(first)), verdicts.interval(figure(second))):
        case "holds":
            assert paired.low > 0
        case "does not hold":
            assert paired.high < 0


def test_a_handful_of_images_cannot_tell(report, verdicts):
    few = {"grad_cam": around(3.0, images=9), "guided_backprop": around(2.0, images=40)}
    assert list(verdicts_of(report, table(report, "ratio", "ratio", **few)).values()) == [UNCLEAR]
    assert verdicts.LEAST_IMAGES == 10


def test_images_that_all_agree_leave_open_what_the_rule_of_three_says(verdicts):
    low, high = verdicts.interval(Figure(0.0, 0.0, 0.0, 60), (0.0, 100.0))
    assert low == 0
    assert high == pytest.approx(100 * 3 / 60, rel=0.05)
    for images in (10, 24, 100):  # the slow way: the greatest share that is missed by all images in 5 % of cases
        shares = np.linspace(0, 1, 100_001)
        greatest = shares[(1 - shares) ** images >= 0.05].max()
        low, high = verdicts.interval(Figure(80.0, 80.0, 80.0, images), (0.0, 100.0))
        assert (low, high) == pytest.approx((80 - 80 * greatest, 80 + 20 * greatest), abs=1e-3)


def test_images_that_all_agree_cannot_tell_where_a_value_has_no_bounds(report):
    measured = table(report, "ratio", "ratio", grad_cam=Figure(3.0, 3.0, 3.0, 40), guided_backprop=2.0)
    assert list(verdicts_of(report, measured).values()) == [UNCLEAR]


def test_all_right_against_nearly_all_right_cannot_be_told(report):
    """Redrawing 40 images of which one is missed gives 0 to 7.5 %, and of which none is missed the point 0."""
    none, some = figure(np.zeros(40)), figure(100 * (np.arange(40) < 4))
    assert none.high < some.low
    measured = table(report, "localisation", "box_1", grad_cam=none, cam=some)
    assert verdicts_of(report, measured) == {("cam", "box_1", "grad-cam", "box_1"): UNCLEAR}


def test_the_verdict_names_the_baselines_and_how_the_better_method_stands_to_them(report):
    measured = table(
        report,
        "localisation",
        "box_1",
        grad_cam=around(40, 5),
        gradient=around(80, 5),
        whole_picture=around(38, 5),
        centre=around(20, 5),
        nothing=Figure(100.0, 100.0, 100.0, 40),
    )
    (entry,) = report.judged([measured])
    assert entry.verdict == HOLDS
    assert not entry.beats_baselines
    assert entry.beside == (
        "Grad-CAM beats rejecting everything (100.0 (100.0 to 100.0)); "
        "cannot be told from the whole picture (38.0 (33.0 to 43.0)); is worse than the centre (20.0 (15.0 to 25.0))"
    )
    assert "hold: 1, of which 1 do not beat every baseline" in report.summary([measured])
    assert entry.beside in report.document([measured], [], [])


def test_the_baselines_are_those_of_what_the_paper_finds_better(report):
    """The greater figure of a ratio, and the smaller of an error."""
    ratio = table(report, "ratio", "ratio", guided_grad_cam=6.0, grad_cam=0.8, whole_picture=1, centre=2)
    (entry,) = report.judged([ratio])
    assert (
        entry.beside
        == "Guided Grad-CAM beats the whole picture (1.00 (0.90 to 1.10)), the centre (2.00 (1.90 to 2.10))"
    )
    assert entry.beats_baselines
    error = table(report, "localisation", "box_1", grad_cam=around(50, 1), cam=around(55, 1), centre=around(52, 0.5))
    (entry,) = report.judged([error])
    assert entry.beside.startswith("Grad-CAM beats the centre")


def test_a_baseline_that_is_so_by_definition_is_a_point(report):
    exact = Figure(1.0, 1.0, 1.0, 40)
    measured = table(report, "ratio", "ratio", grad_cam=around(1.3), guided_backprop=around(1.05), whole_picture=exact)
    (entry,) = report.judged([measured])
    assert entry.beside == "Grad-CAM beats the whole picture (1.00 (1.00 to 1.00))"


def test_a_claim_without_a_baseline_beats_none(report):
    (entry,) = report.judged([table(report, "seeds", "iou", grad_cam=around(50, 2), cam=around(40, 2))])
    assert (entry.verdict, entry.beats_baselines, entry.beside) == (HOLDS, False, "no baseline was measured")


def test_every_claim_is_of_a_known_method_and_follows_from_the_papers_figures(report):
    for claim in report.CLAIMS:
        if claim.protocol in report.PAPER:
            _, column, figures = report.PAPER[claim.protocol]
            assert figures[claim.more[0]] > figures[claim.less[0]]
            assert claim.more[1] == claim.less[1] == column
            assert {claim.more[0], claim.less[0]} <= set(METHODS)


def test_the_pooled_network_has_a_head_that_cam_is_defined_for(script):
    """Each class is a colour, which a linear layer on averages tells apart."""
    scenes = 3 * len(SCENE_CLASSES)
    photographs = [
        Image.new("RGB", (64, 64), tuple(int(value) for value in np.random.default_rng(index % 12).integers(0, 255, 3)))
        for index in range(scenes)
    ]
    network = script("pooled").pooled_network(MemoryConcepts(photographs, [], {}))
    images = torch.stack(
        [network.preprocessing.tensor(network.preprocessing.whole(photograph)) for photograph in photographs]
    )
    result = forward(network, images)
    assert result.scores.argmax(1).tolist() == [index % len(SCENE_CLASSES) for index in range(scenes)]
    cam, grad_cam = (METHODS[name].maps(network, images[:2], 0).detach() for name in ("cam", "grad-cam-no-relu"))
    assert cam.std() > 0
    torch.testing.assert_close(cam / (14 * 14), grad_cam, rtol=1e-3, atol=1e-6)  # Sec. 3.1: up to 1/Z


def test_the_linear_layer_finds_known_classes_whatever_the_scale_of_the_units(script):
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(90) % 3
    means = torch.eye(3)[classes] + 0.1 * torch.randn(90, 3, generator=generator)
    scaled = torch.cat(
        [means * torch.tensor([1.0, 1e3, 1e-3]) + 5, torch.zeros(90, 1)], 1
    )  # a unit that never responds
    pooled = script("pooled")
    pooled.linear_layer(scaled, classes)  # torch draws numbers when it first loads its optimizers
    before = torch.get_rng_state()
    layer = pooled.linear_layer(scaled, classes)
    torch.testing.assert_close(torch.get_rng_state(), before)
    assert isinstance(layer, nn.Linear)
    assert layer(scaled).argmax(1).tolist() == classes.tolist()


def test_every_table_of_maps_has_every_baseline_once(script, tmp_path):
    from test_evaluate import Squares  # noqa: PLC0415 -- which imports half of the package

    squares = Squares()
    world = SimpleNamespace(
        name="colours",
        title="colours",
        network=colour_network(),
        ground=squares,
        some=lambda _images: squares,
        few=12,
        rivals_only=True,
    )
    run = script("run").Run(tmp_path, Execution(), small=True)
    run.world(world)
    assert {table.protocol for table in run.tables} == {
        *("localisation", "pointing", "seeds", "ratio", "occlusion-correlation"),
    }
    for table in run.tables:
        titles = [row["method"] for row in table.report.rows]
        assert [titles.count(baseline.title) for baseline in BASELINES] == [1, 1, 1], table.protocol
    text = run.write().read_text()
    assert "comparisons with the paper" in text
    assert "c-mwp on colours" in text


def test_a_network_that_is_not_installed_is_left_out_with_a_line(script, tmp_path, monkeypatch):
    cases = script("cases")

    def absent(name, **_):
        raise NetworkError(f"{name} is not installed")

    monkeypatch.setattr(cases, "open_network", absent)
    monkeypatch.setattr(cases, "open_squeezenet", lambda _: colour_network())
    monkeypatch.setattr(cases, "_places", colour_network)
    monkeypatch.setattr(cases, "_EARLIER", colour_network().layer.name)
    (tmp_path / "coco").mkdir()
    skipped = []
    names = [world.name for world in cases._photographs(tmp_path, (4, 2), cases.SMALL, skipped.append)]
    assert names == [
        "squeezenet-msrc",
        "squeezenet-earlier-msrc",
        "squeezenet-coco",
        "squeezenet-imagenet",
        "places-msrc",
    ]
    assert skipped == ["EfficientNet-Lite0, for which CAM is defined: efficientnet-lite0 is not installed"]


def test_without_photographs_the_scenes_are_measured_and_the_rest_is_left_out_with_a_line(
    script, tmp_path, monkeypatch
):
    cases = script("cases")
    monkeypatch.setattr(cases, "DATA", tmp_path / "nowhere")
    size = cases.Size(scenes=(12, 10), photographs=(4, 2), named=12, ten=False)
    skipped = []
    worlds = list(cases.worlds(tmp_path, size, skipped.append))
    assert [(world.name, world.rivals_only) for world in worlds] == [("scenes-network", False), ("scenes-pooled", True)]
    assert skipped == [f"networks of photographs: there is no {tmp_path / 'nowhere'}"]
