"""Evaluations as a person runs them: on known worlds, killed and resumed, from the command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli import NETWORK, one_line
from torch import nn
from worlds import COLOURS, colour_network, colour_square, write_colour_folder

from dissection.errors import CheckpointError, ConceptDataError, NeuronExplainError
from dissection.execution.settings import Execution
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from neuronexplain.evaluation.batch import Batch
from neuronexplain.evaluation.framing import Framing
from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, ObjectLocation
from neuronexplain.evaluation.protocols.insertion_deletion import InsertionDeletion
from neuronexplain.evaluation.protocols.localisation import Localisation
from neuronexplain.evaluation.protocols.occlusion_correlation import OcclusionCorrelation
from neuronexplain.evaluation.protocols.pointing import Pointing
from neuronexplain.evaluation.protocols.ratio import Ratio
from neuronexplain.evaluation.protocols.seeds import Seeds
from neuronexplain.evaluation.protocols.unit_ablation import UnitAblation
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.methods import METHODS
from neuronexplain.methods.method import Method
from neuronexplain.methods.occlusion import Occlusion
from neuronexplain.studies.stages import stages, stages_sheet

HERE = Path(__file__).parent
OBJECTS = {name: (number,) for number, name in enumerate(("red", "green", "blue"))}


@dataclass(frozen=True)
class Squares:
    """Squares of one colour on black, whose places are known to the pixel."""

    count: int = 12
    name: str = "squares"
    masks: bool = True

    @property
    def objects(self):
        return OBJECTS

    def __len__(self) -> int:
        return self.count

    def annotated(self, index: int) -> AnnotatedImage:
        colour = list(OBJECTS)[index % 3]
        at = (index % 5 * 3 + 1, index % 4 * 4 + 2)
        mask = np.zeros((32, 32), bool)
        mask[at[1] : at[1] + 12, at[0] : at[0] + 12] = True
        box = np.array([[at[0], at[1], at[0] + 12, at[1] + 12]]) / 32
        place = ObjectLocation(box, mask if self.masks else None)
        return AnnotatedImage(f"square {index}", colour_square(colour, at=at), {colour: place})

    def identity(self) -> str:
        return f"{self.count}"


def method(name: str, compute) -> Method:
    """A custom method; ``compute`` maps images and classes to maps."""
    return Method(name, name, "", "", "heat", lambda _network, images, target: compute(images, target)[:, None])


def light(images, classes):
    """Where the image has the class's colour: a perfect explanation of these squares."""
    return torch.stack([image[int(index)] for image, index in zip(images, classes, strict=True)])


def dark(images, classes):
    """Where the image is black."""
    return 1 - images.amax(1)


PERFECT, WRONG, FLAT = method("perfect", light), method("wrong", dark), method("flat", lambda i, _c: i.amax(1) * 0 + 1)


def rows(report):
    return {row["method"]: row for row in report.rows}


def test_localisation_of_a_known_world(tmp_path):
    found = rows(evaluate(Localisation(), colour_network(), [PERFECT, WRONG], Squares(), tmp_path))
    assert found["perfect"]["class_1"].value == found["perfect"]["box_1"].value == found["perfect"]["known"].value == 0
    assert found["wrong"]["box_1"].value == found["wrong"]["box_5"].value == 100
    assert found["(the whole picture)"]["known"].value == 100
    assert found["perfect"]["images"] == 12


def test_localisation_counts_a_wrong_class_as_wrong(tmp_path):
    @dataclass(frozen=True)
    class Swapped(Squares):
        @property
        def objects(self):
            return {"red": (1,), "green": (0,), "blue": (2,)}

    found = rows(evaluate(Localisation(), colour_network(), [PERFECT], Swapped(), tmp_path))["perfect"]
    assert found["class_1"].value == found["box_1"].value == pytest.approx(200 / 3)
    assert found["class_5"].value == 0
    assert found["box_5"].value == pytest.approx(200 / 3)  # "red" explained as green is black all over


def test_a_signed_map_is_cut_above_its_least_value(tmp_path):
    signed = replace(
        method("signed", lambda images, classes: light(images, classes) - 1e9 * dark(images, classes)), kind="signed"
    )
    found = rows(evaluate(Localisation(), colour_network(), [signed], Squares(), tmp_path))["signed"]
    assert found["known"].value == 0


def test_pointing_at_a_known_world(tmp_path):
    found = rows(evaluate(Pointing(), colour_network(), [PERFECT, WRONG, FLAT], Squares(), tmp_path))
    assert found["perfect"]["accuracy"].value == found["perfect"]["all"].value == 100
    assert found["wrong"]["accuracy"].value == found["flat"]["accuracy"].value == 0
    assert found["(at random)"]["accuracy"].value == pytest.approx(100 * 144 / 1024)
    assert found["perfect"]["reject"].value == found["perfect"]["apart"].value == 100
    assert found["perfect"]["threshold"] == 1  # a square's light; elsewhere nothing is lit
    assert found["(rejecting everything)"]["reject"].value == pytest.approx(200 / 3)


def test_pointing_with_tolerance(tmp_path):
    far = method("corner", lambda images, _c: torch.zeros_like(images[:, 0]).index_fill_(2, torch.tensor([0]), 1.0))
    strict, lax = (
        rows(evaluate(Pointing(tolerance=pixels), colour_network(), [far], Squares(), tmp_path / str(pixels)))["corner"]
        for pixels in (0, 40)
    )
    assert strict["all"].value == 0
    assert lax["all"].value == 100


def test_the_ratio_of_a_known_world(tmp_path):
    half = method("half", lambda images, classes: 0.25 + 0.75 * light(images, classes))
    found = rows(evaluate(Ratio(), colour_network(), [half, FLAT, PERFECT], Squares(), tmp_path))
    assert found["half"]["ratio"].value == pytest.approx(4)
    assert found["flat"]["ratio"].value == 1
    assert found["perfect"]["without"] == 12  # nothing is outside: there is no ratio


def test_the_seeds_of_a_known_world(tmp_path):
    report = evaluate(Seeds(), colour_network(), [PERFECT, WRONG], Squares(), tmp_path)
    found = rows(report)
    assert found["perfect"]["iou"].value == found["perfect"]["precision"].value == 100
    assert found["perfect"]["background"].value == 100
    assert found["wrong"]["iou"].value == 0
    cues = np.load(tmp_path / "seeds" / "perfect" / "localization_cues.npz", allow_pickle=False)
    listed = (tmp_path / "seeds" / "perfect" / "input_list.txt").read_text().splitlines()
    assert len(listed) == 12
    assert cues["4_labels"].tolist() == [2]
    number, rows_, columns = cues["4_cues"]
    grid = np.zeros((4, 41, 41), bool)
    grid[number, rows_, columns] = True
    mask = Image.fromarray(Squares().annotated(4).places["green"].mask).resize((41, 41), Image.Resampling.NEAREST)
    assert (grid[2] == np.array(mask)).all()


def test_occlusion_ranks_as_a_perfect_map_does(tmp_path):
    protocol = OcclusionCorrelation(patch=0.125, stride=0.125)
    found = rows(evaluate(protocol, colour_network(), [PERFECT, WRONG, FLAT], Squares(), tmp_path))
    assert found["perfect"]["correlation"].value > 0.95
    assert found["wrong"]["correlation"].value < -0.95
    assert found["flat"]["correlation"].value == 0
    assert found["flat"]["flat"] == 12


def test_insertion_and_deletion_know_the_better_map(tmp_path):
    found = rows(evaluate(InsertionDeletion(steps=8), colour_network(), [PERFECT, WRONG], Squares(), tmp_path))
    assert found["perfect"]["deletion"].value < found["(at random)"]["deletion"].value
    assert found["(at random)"]["deletion"].value < found["wrong"]["deletion"].value
    assert found["perfect"]["insertion"].value > found["wrong"]["insertion"].value


def test_insertion_and_deletion_against_loops(tmp_path):
    network, image = colour_network(), Squares().annotated(0)
    evaluate(InsertionDeletion(steps=4), network, [PERFECT], Squares(1), tmp_path)
    record = json.loads((tmp_path / "insertion-deletion.jsonl").read_text().splitlines()[1])
    pixels = network.preprocessing.tensor(image.photograph)
    order = sorted(range(1024), key=lambda pixel: (-float(pixels[0].flatten()[pixel]), pixel))
    chances = []
    for step in range(5):
        left = pixels.clone()
        for pixel in order[: step * 256]:
            left[:, pixel // 32, pixel % 32] = 0
        chances.append(float(network.module(left[None]).softmax(1)[0, 0].detach()))
    wanted = sum((one + other) / 2 for one, other in pairwise(chances)) / 4
    assert record["areas"]["perfect"]["deletion"] == pytest.approx(wanted, abs=1e-6)


def test_without_its_unit_a_colour_is_lost(tmp_path):
    """Unit i sees colour i; alpha is greatest for the class's unit, whose loss is computed by hand."""
    network = colour_network()
    protocol = UnitAblation((0, 1, 2), k=1, draws=2)
    found = rows(evaluate(protocol, network, [], Squares(), tmp_path))
    best = found["the most persuasive named units"]
    assert best["changed"].value == pytest.approx(200 / 3)  # without red, fire and sun are equal, and fire is the first
    assert best["logit"].value > 5 * abs(found["other named units, at random"]["logit"].value)
    record = json.loads((tmp_path / "units.jsonl").read_text().splitlines()[1])
    share, weight = 144 / 1024, 3.0  # red: (1 + share)^2 becomes 1
    assert record["losses"]["named"][0][0] == pytest.approx(weight * ((1 + share) ** 2 - 1), abs=1e-5)


def batch_of(network, view: str = "whole") -> Batch:
    seen = Framing.of(network.preprocessing, view)
    annotated = [Squares().annotated(index) for index in range(3)]
    images = torch.stack([seen.tensors(each.photograph) for each in annotated])
    return Batch(network, seen, OBJECTS, 0, annotated, images, 4)


QUICK = replace(METHODS["occlusion"], compute=Occlusion(16, 16))


@pytest.mark.parametrize(
    "method", [*map(METHODS.get, ("grad-cam", "grad-cam-no-relu", "grad-cam-guided-relu", "guided-grad-cam")), QUICK]
)
@pytest.mark.parametrize("view", ["whole", "ten"])
def test_maps_of_many_classes_are_those_of_each_alone(method, view):
    network = colour_network()
    batch = batch_of(network, view)
    seen, images = batch.view, batch.images
    found = batch.maps(method, [[2, 0], [], [1, 1, 3]])
    assert [maps.shape for maps in found] == [(2, *seen.size), (0, *seen.size), (3, *seen.size)]
    for image, turn, index in ((0, 0, 2), (0, 1, 0), (2, 0, 1), (2, 2, 3)):
        alone = method.maps(network, images[image], index).detach().numpy()
        assert found[image][turn] == pytest.approx(seen.joined(alone), abs=1e-5)


def test_scores_and_all_of_grad_cam_cost_one_pass():
    network, passes = colour_network(), []
    network.module.detect.register_forward_hook(lambda *_: passes.append(1))
    batch = batch_of(network)
    wanted = [[index, 1] for index in batch.predicted]
    for name in ("grad-cam", "counterfactual", "grad-cam-no-relu", "grad-cam-max"):
        batch.maps(METHODS[name], wanted)
    assert len(passes) == 1
    batch.maps(METHODS["grad-cam-guided-relu"], wanted)
    assert len(passes) == 2


def test_an_evaluation_goes_on_where_it_stopped(tmp_path):
    network, execution = colour_network(), Execution(batch_size=4)
    whole = evaluate(Pointing(), network, [PERFECT], Squares(), tmp_path / "whole", execution=execution)
    lines = (tmp_path / "whole" / "pointing.jsonl").read_bytes().splitlines(keepends=True)
    asked = []

    @dataclass(frozen=True)
    class Asked(Squares):
        def annotated(self, index):
            asked.append(index)
            return super().annotated(index)

    for kept, left in (
        (b"".join(lines[:7]) + lines[7][:9], range(4, 12)),
        (b"".join(lines), ()),
        (lines[0][:5], range(12)),
    ):
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / "pointing.jsonl").write_bytes(kept)
        asked.clear()
        again = evaluate(Pointing(), network, [PERFECT], Asked(), tmp_path / "cut", execution=execution)
        assert sorted(asked) == list(left)
        assert again == whole
        assert (tmp_path / "cut" / "pointing.jsonl").read_bytes() == b"".join(lines)


@pytest.mark.parametrize("damage", [lambda content: content + b"x", lambda content: content[:-30], None])
def test_a_file_of_an_evaluation_that_was_damaged_is_written_anew(tmp_path, damage):
    network, execution = colour_network(), Execution(batch_size=4)
    evaluate(Seeds(), network, [PERFECT], Squares(), tmp_path / "whole", execution=execution)
    evaluate(Seeds(), network, [PERFECT], Squares(), tmp_path / "out", execution=execution)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").rglob("*.*")}
    file = tmp_path / "out" / "seeds" / "perfect" / "000005.png"
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    done = []
    resumed = Execution(batch_size=4, progress=lambda _stage, images, _of: done.append(images))
    evaluate(Seeds(), network, [PERFECT], Squares(), tmp_path / "out", execution=resumed)
    assert done == [4, 8, 12]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == whole


def test_an_evaluation_of_something_else_is_refused(tmp_path):
    network = colour_network()
    evaluate(Pointing(), network, [PERFECT], Squares(), tmp_path)
    for protocol, methods, ground, said in (
        (Pointing(tolerance=3), [PERFECT], Squares(), "another settings"),
        (Pointing(), [WRONG], Squares(), "another methods"),
        (Pointing(), [PERFECT], Squares(9), "another data, images"),
    ):
        with pytest.raises(CheckpointError, match=said):
            evaluate(protocol, network, methods, ground, tmp_path)
    evaluate(Pointing(), network, [WRONG], Squares(), tmp_path, fresh=True)
    (tmp_path / "pointing.jsonl").write_text("once upon a time\n")
    with pytest.raises(CheckpointError, match="not a journal"):
        evaluate(Pointing(), network, [WRONG], Squares(), tmp_path)


def test_what_cannot_be_measured_is_said(tmp_path):
    network = colour_network()
    with pytest.raises(ConceptDataError, match="needs masks"):
        evaluate(Seeds(), network, [PERFECT], Squares(masks=False), tmp_path)
    with pytest.raises(NeuronExplainError, match="one crop"):
        evaluate(InsertionDeletion(), network, [PERFECT], Squares(), tmp_path, view="ten")
    with pytest.raises(NeuronExplainError, match="name at least one"):
        evaluate(Pointing(), network, [], Squares(), tmp_path)
    broken = method("broken", lambda images, _c: images[:, 0] * float("nan"))
    with pytest.raises(NeuronExplainError, match="broken's map for square 0"):
        evaluate(Pointing(), network, [broken], Squares(), tmp_path)


def test_a_method_that_the_network_cannot_have_is_refused_before_anything_is_read(tmp_path):
    @dataclass(frozen=True)
    class Unread(Squares):
        def annotated(self, index):
            raise AssertionError

        def identity(self):
            raise AssertionError

    for name, said in (("cam", "ColourNet has another head"), ("c-mwp", "c-MWP is defined for")):
        with pytest.raises(NeuronExplainError, match=said):  # there is a square behind the pooling
            evaluate(Pointing(), colour_network(), [METHODS["grad-cam"], METHODS[name]], Unread(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_occlusion_tells_how_far_it_is(tmp_path):
    told = []
    execution = Execution(batch_size=4, progress=lambda *words: told.append(words))
    evaluate(
        OcclusionCorrelation(patch=0.5, stride=0.5),
        colour_network(),
        [QUICK],
        Squares(4),
        tmp_path,
        execution=execution,
    )
    passes = 4 * (1 + 4)  # images, and patches of each
    assert told[1:-1] == [("occlusion", done, passes) for done in (4, 8, 12, 16, 20, 20)]


def test_ten_crops_of_a_known_world(tmp_path):
    found = rows(evaluate(Localisation(), colour_network(), [PERFECT], Squares(), tmp_path, view="ten"))["perfect"]
    assert found["known"].value == 0


def test_nothing_depends_on_workers(tmp_path):
    reports = [
        evaluate(
            Ratio(), colour_network(), [METHODS["grad-cam"]], Squares(), tmp_path / str(workers), execution=execution
        )
        for workers in (0, 2)
        for execution in [Execution(batch_size=4, workers=workers)]
    ]
    assert reports[0] == reports[1]


def test_every_stage_is_drawn_once():
    network = colour_network()
    image = network.preprocessing.tensor(colour_square("red"))
    found = stages(network, image, 0)
    assert [stage.layer.name for stage in found] == ["rectify"]
    wanted = METHODS["grad-cam"].maps(network, image[None], 0)[0]
    assert found[0].heat == pytest.approx(wanted.detach().numpy(), abs=1e-6)
    page = np.array(stages_sheet(colour_square("red"), found))
    assert page.shape[1] > 2 * 180
    assert (page[:180, :180] != 255).any()


GREY = Preprocessing(size=(32, 32), resize=(32, 32), mean=(0.5,), std=(1.0,), channels=1)


def grey_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    return Network.from_module(module.eval(), preprocessing=GREY)


@pytest.mark.parametrize("protocol", [Localisation(), InsertionDeletion(steps=4), OcclusionCorrelation()])
def test_a_network_of_grey_pictures_is_measured(protocol, tmp_path):
    methods = [METHODS[name] for name in ("grad-cam", "guided-grad-cam")]
    report = evaluate(protocol, grey_network(), methods, Squares(3), tmp_path)
    assert rows(report).keys() >= {method.title for method in methods}


def test_stages_of_a_network_of_grey_pictures():
    network = grey_network()
    (stage,) = stages(network, network.preprocessing.tensor(colour_square("red")), 0)
    assert stage.layer.name == "1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    write_colour_folder(root / "squares", images=24)
    (root / "classes.txt").write_text("\n".join(COLOURS) + "\n")
    return root


def test_the_command_line_measures(folder, run, tmp_path):
    words = [*NETWORK, "--classes", folder / "classes.txt", "--data", folder / "squares", "--out", tmp_path]
    status, out, _ = run("evaluate", "pointing", *words, "--method", "grad-cam", "--method", "gradient")
    assert status == 0
    assert "Pointing game" in out
    assert "95 %" in out
    status, out, _ = run("evaluate", "seeds", *words, "--json")
    found = json.loads(out)
    assert found["rows"][0]["iou"]["images"] == 24
    assert 0 <= found["rows"][0]["iou"]["low"] <= found["rows"][0]["iou"]["value"] <= found["rows"][0]["iou"]["high"]
    assert json.loads((tmp_path / "seeds.json").read_text())["rows"] == found["rows"]


def test_the_command_line_measures_the_units_of_a_database(folder, run, tmp_path):
    network = [*NETWORK, "--classes", folder / "classes.txt"]
    assert (
        run("build", *network, "--concepts", folder / "squares", "--db", tmp_path / "n.db", "--min-images", 2)[0] == 0
    )
    words = [
        "--db",
        tmp_path / "n.db",
        "--data",
        folder / "squares" / "images",
        "--kind",
        "photographs",
        "--out",
        tmp_path,
    ]
    status, out, _ = run("evaluate", "units", *words, "--top", 1, "--json")
    assert status == 0
    named, any_named, _ = json.loads(out)["rows"]
    assert named["logit"]["value"] > any_named["logit"]["value"]
    status, _, error = run("evaluate", "units", *words, "--min-iou", 1)
    assert status == 2
    assert "run 1 has none with an IoU of at least 1" in one_line(error)


def test_the_command_line_draws_layers(folder, run, tmp_path):
    photograph = folder / "squares" / "images" / "000.png"
    status, out, _ = run("evaluate", "layers", "--network", "scenes", "--data", photograph, "--out", tmp_path)
    assert status == 0
    assert (tmp_path / "000-layers.png").stat().st_size > 1000
    assert "at every stage" in out


def test_mistakes_are_told_in_a_line(folder, run, tmp_path):
    network = [*NETWORK, "--classes", folder / "classes.txt"]
    for words, said in (
        (["pointing"], "no network is named"),
        (["pointing", *network], "no such folder"),
        (["pointing", "--network", "scenes", "--data", folder / "squares"], "no class of the network"),
        (["pointing", *network, "--data", folder / "squares", "--method", "tea-leaves"], "'tea-leaves' is not one of"),
        (["units", "--data", folder / "squares"], "missing option '--db'"),
        (["units", "--db", tmp_path / "n.db"], "n.db"),
        (["ratio", *network, "--data", folder / "squares", "--kind", "photographs"], "annotated ones"),
        (["layers", *network, "--data", tmp_path / "x.jpg"], "no photograph"),
        (
            ["pointing", "--db", "n.db", "--layer", "features"],
            "--layer would be ignored: --db brings its own",
        ),
    ):
        status, _, error = run("evaluate", *words, "--out", tmp_path)
        assert status == 2
        assert said in one_line(error)


IMAGES = {"data", "kind", "split", "matches", "view", "limit", "seed"}
RESULTS = {"out", "batch-size", "workers", "fresh", "json"}
NETWORKS = {"network", "db", "run", "weights", "ema", "dictionary", "device"}
NETWORKS |= {"classes", "mean", "std", "input-size", "resize", "channels"}
NETWORKS |= {"output", "multi-label"}
METHODS_COMPARED = NETWORKS | {"layer", "method"} | IMAGES | RESULTS
RULES = {"top", "rank-by", "among", "min-iou", "max-q", "min-truth"}
TAKES = {
    "localisation": METHODS_COMPARED,
    "pointing": METHODS_COMPARED | {"tolerance"},
    "occlusion-correlation": METHODS_COMPARED | {"patch", "stride"},
    "seeds": METHODS_COMPARED,
    "ratio": METHODS_COMPARED,
    "insertion-deletion": METHODS_COMPARED | {"steps"},
    "units": {"db", "run", "network", "weights", "ema", "dictionary", "device", "min-iou", "top"} | IMAGES | RESULTS,
    "words": {
        "db",
        "run",
        "network",
        "weights",
        "ema",
        "dictionary",
        "device",
        "concepts",
        "scenes",
        "described",
        "question",
        "limit",
    }
    | {"seed", "halves"}
    | RULES
    | RESULTS,
    "adversarial": METHODS_COMPARED | {"radius"},
    "bias": {"limit", "seed"} | RESULTS - {"workers"},
    "layers": NETWORKS | {"data", "target", "out", "json"},
}


@pytest.mark.parametrize("protocol", TAKES)
def test_a_protocol_takes_its_options_and_no_others(protocol, run):
    _, out, _ = run("evaluate", protocol, "--help")
    assert set(re.findall(r"^│ [* ] *--([a-z-]+)", out, re.MULTILINE)) == TAKES[protocol] | {"help"}
    for option in sorted(set().union(*TAKES.values()) - TAKES[protocol]):
        status, out, error = run("evaluate", protocol, f"--{option}", "1", "--out", "figures")
        assert (status, out) == (2, "")
        assert f"no such option: --{option}" in one_line(error)
        assert error.endswith(f"; see neuronexplain evaluate {protocol} --help\n")
        assert error.count("\n") == 1


def test_help_names_every_protocol_and_where_it_is_from(run):
    status, out, _ = run("evaluate", "--help")
    told = " ".join(out.replace("│", " ").split())
    assert status == 0
    for protocol, source in (
        ("localisation", "Sec. 4.1"),
        ("pointing", "Sec. 4.3, App. D"),
        ("occlusion-correlation", "Sec. 5.3"),
        ("seeds", "Sec. 4.2"),
        ("ratio", "Sec. 8.1"),
        ("insertion-deletion", "Petsiuk et al. 2018"),
        ("units", "Sec. 7"),
        ("words", "Sec. 7"),
        ("adversarial", "Sec. 6.2"),
        ("bias", "Sec. 6.3"),
        ("layers", "App. B.1 and G"),
    ):
        assert re.search(rf" {protocol} [^.]*\({source}", told), protocol


def test_a_killed_evaluation_goes_on_from_the_command_line(tmp_path, run):
    words = ["evaluate", "pointing", "--network", "scenes", "--kind", "scenes", "--limit", "14", "--batch-size", "2"]
    killed, whole = tmp_path / "killed" / "pointing.jsonl", tmp_path / "whole" / "pointing.jsonl"

    def lines() -> list[bytes]:
        return killed.read_bytes().split(b"\n")[:-1] if killed.exists() else []

    command = [sys.executable, "-m", "neuronexplain", *words, "--out", str(killed.parent)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while len(lines()) < 5 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    before = lines()
    assert 5 <= len(before) < 15
    again = run(*words, "--json", "--out", killed.parent)
    assert again[:2] == run(*words, "--json", "--out", whole.parent)[:2]
    assert again[0] == 0
    assert lines()[: len(before) - 2] == before[:-2]
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--data", "."],
            "--data would be ignored: nothing in this evaluation of --kind scenes",
        ),
        (
            ["--split", "val", "--matches", "m.csv"],
            "uses that; leave them out",
        ),
        (
            ["--kind", "photographs", "--data", ".", "--split", "val"],
            "evaluation of --kind photographs uses that",
        ),
        (
            ["--kind", "concepts", "--data", ".", "--seed", "1"],
            "evaluation of --kind concepts uses that",
        ),
        (["--run", "1"], "--run chooses among the runs of a database; name one with --db"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(words, message, run, tmp_path):
    status, _, error = run(
        "evaluate", "ratio", "--network", "scenes", "--kind", "scenes", *words, "--out", str(tmp_path)
    )
    assert status == 2
    assert message in error


@pytest.mark.parametrize("protocol", ["insertion-deletion", "occlusion-correlation"])
def test_a_protocol_that_asks_for_no_objects_matches_none(protocol, folder, run, tmp_path):
    words = ["--network", "scenes", "--data", folder / "squares", "--matches", tmp_path / "m.csv", "--out", tmp_path]
    status, _, error = run("evaluate", protocol, *words)
    assert status == 2
    assert "--matches would be ignored" in error


def test_an_evaluation_is_not_shared(run, monkeypatch, tmp_path):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    status, _, error = run("evaluate", "ratio", "--network", "scenes", "--kind", "scenes", "--out", str(tmp_path))
    assert status == 2
    assert "an evaluation runs in one process, and here are 2; start it without torchrun" in error


GREY_FACTORY = """
from torch import nn
def make():
    body = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    return nn.Sequential(*body)
"""


def test_stages_of_a_grey_network_from_the_command_line(run, tmp_path):
    (tmp_path / "grey.py").write_text(GREY_FACTORY)
    colour_square("red").save(tmp_path / "photo.png")
    network = f"{tmp_path}/grey.py:make"
    words = ["--data", str(tmp_path / "photo.png"), "--input-size", "16", "--out", str(tmp_path)]
    status, out, _ = run("evaluate", "layers", "--network", network, "--channels", "1", *words, "--json")
    assert status == 0
    assert json.loads(out)[0]["picture"] == str(tmp_path / "photo-layers.png")
