"""Commands that list what can be dissected, and that make weights safe."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from worlds import colour_square, write_colour_folder

from dissection.networks.opening import open_network

PROTOCOLS = (
    *("localisation", "pointing", "occlusion-correlation", "seeds", "ratio", "insertion-deletion"),
    *("units", "words", "adversarial", "bias", "layers"),
)


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.ReLU())\n"
        "        self.species, self.colour = nn.Linear(6, 3), nn.Linear(6, 2)\n"
        "    def forward(self, x):\n"
        "        x = self.features(x).mean((2, 3))\n"
        "        return {'species': self.species(x), 'colour': self.colour(x).softmax(1)}\n"
    )
    return f"{tmp_path}/net.py:Net"


def test_networks_are_listed(run) -> None:
    status, out, _ = run("networks")
    assert status == 0
    for name in ("scenes", "vgg16", "places365/vgg16", "efficientnet-lite0", "hf/REPOSITORY", "FILE.py:FACTORY"):
        assert name in out
    shelves = json.loads(run("networks", "--json")[1])
    names = {name for shelf in shelves for name in shelf["names"]}
    assert {"scenes", "resnet50", "places365/alexnet", "vit_b_16"} <= names
    assert sum(name in out for name in names) >= 90


def test_layers_are_listed(run, net: str) -> None:
    words = ["layers", "--network", net, "--channels", 1, "--input-size", 32, "--output", "colour"]
    rows = json.loads(run(*words, "--json")[1])
    assert [(row["layer"], row["units"], row["height"], row["receptive_field"]) for row in rows] == [
        ("features.0", 4, 30, 3),
        ("features.1", 4, 30, 3),
        ("features.2", 6, 14, 5),
        ("features.3", 6, 14, 5),
        ("features", 6, 14, 5),
    ]
    assert [row["layer"] for row in rows if row["rectified"]] == ["features.1", "features.3", "features"]
    assert [row["layer"] for row in rows if row["default"]] == ["features.3"]
    status, out, _ = run(*words)
    assert status == 0
    assert "default" in out.splitlines()[-3]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input-size", 32], "takes 1 channels; give --channels 1"),
        (["--input-size", 32, "--channels", 1], "say with --output which of them"),
        (["--input-size", 32, "--channels", 4], "from which 4 channels cannot be made"),
        (["--input-size", 32, "--channels", 1, "--output", "age"], "has no scores called 'age'"),
    ],
)
def test_layers_of_networks_that_want_more(run, net: str, words: list[object], message: str) -> None:
    status, _, err = run("layers", "--network", net, *words)
    assert status == 2
    assert message in err.strip().splitlines()[-1]


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_are_taken_out_of_a_pickle(run, tmp_path: Path, modern: bool, whole: bool) -> None:
    net = nn.DataParallel(nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(5, 2)))
    content = net if whole else {"state_dict": net.state_dict(), "epoch": 3}
    content = {"model": content, "trap": Trap(tmp_path / "sprung")}
    torch.save(content, tmp_path / "old.pth.tar", _use_new_zipfile_serialization=modern)
    status, out, _ = run("weights", "convert", tmp_path / "old.pth.tar", tmp_path / "new" / "w.safetensors")
    assert status == 0
    assert out.startswith("9 tensors written to ")
    state = load_file(tmp_path / "new" / "w.safetensors")
    assert state.keys() == net.module.state_dict().keys()
    assert all(torch.equal(value, net.module.state_dict()[name]) for name, value in state.items())
    assert not (tmp_path / "sprung").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.safetensors"]
    status, _, err = run("weights", "convert", tmp_path / "old.pth.tar", tmp_path / "new" / "w.safetensors")
    assert (status, "already exists" in err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x80\x02cos\nsystem\n(U\x04true\x85R."])
def test_what_is_no_checkpoint(run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "old.pt").write_bytes(content)
    status, _, err = run("weights", "convert", tmp_path / "old.pt", tmp_path / "new.safetensors")
    assert status == 2
    assert err.count("\n") == 1
    assert not (tmp_path / "new.safetensors").exists()


@pytest.mark.parametrize(
    ("end", "options", "classes", "probability"),
    [
        ("x.mean((2, 3))[:, :1]", ["--channels", 1], "red", "sigmoid"),
        ("x.mean((2, 3))[:, :3].softmax(1)", ["--channels", 1], "a b c", "softmax"),
        ("(x, x.mean((2, 3)), -x.mean((2, 3)))", ["--output", 2, "--multi-label"], "a b c d", "sigmoid"),
    ],
    ids=["one score", "softmax", "several outputs"],
)
def test_unusual_networks_are_built_explained_and_opened_again(
    run, tmp_path: Path, end: str, options: list[object], classes: str, probability: str
) -> None:
    channels = 1 if "--channels" in options else 3
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        torch.manual_seed(0)\n"
        f"        self.conv, self.relu = nn.Conv2d({channels}, 4, 3, padding=1), nn.ReLU()\n"
        "    def forward(self, x):\n"
        "        x = self.relu(self.conv(x))\n"
        f"        return {end}\n"
    )
    write_colour_folder(tmp_path / "squares")
    (tmp_path / "classes.txt").write_text("\n".join(classes.split()))
    colour_square("red").save(tmp_path / "red.png")
    network = ["--network", f"{tmp_path}/net.py:Net", "--classes", tmp_path / "classes.txt", "--input-size", 32]
    words = [*network, "--layer", "relu", *options]
    status, _, err = run("build", *words, "--concepts", tmp_path / "squares", "--db", tmp_path / "n.db")
    assert status == 0, err
    status, out, err = run("explain", tmp_path / "red.png", "--db", tmp_path / "n.db", "--json")
    assert status == 0, err
    explanation = json.loads(out)
    explanation = explanation[0] if isinstance(explanation, list) else explanation
    score = explanation["prediction"]
    labels = ["no red", "red"] if classes == "red" else classes.split()
    assert score["label"] in labels
    alone = 1 / (1 + math.exp(-score["logit"]))
    assert (abs(score["probability"] - alone) < 1e-6) == (probability == "sigmoid")


def test_layers_of_a_torchvision_network_need_no_weights(run, monkeypatch) -> None:
    monkeypatch.setattr(
        "dissection.networks.sources.torchvision.fetch_weights", lambda *_: pytest.fail("weights were fetched")
    )
    status, out, err = run("layers", "--network", "alexnet", "--input-size", 64, "--json")
    assert status == 0, err
    (default,) = [row for row in json.loads(out) if row["default"]]
    assert (default["layer"], default["units"]) == ("features.11", 256)


def test_averaged_weights_are_taken_by_every_command_that_takes_weights(run, tmp_path: Path) -> None:
    module = open_network("scenes").module
    averaged = {name: value * 0.9 for name, value in module.state_dict().items()}
    torch.save({"model": module.state_dict(), "model_ema": averaged}, tmp_path / "c.pt")
    torch.save(averaged, tmp_path / "averaged.pt")
    chosen = ("--network", "scenes", "--weights")
    fingerprints = [open_network("scenes", weights=tmp_path / "averaged.pt").fingerprint]
    fingerprints.append(open_network("scenes", weights=tmp_path / "c.pt", ema=True).fingerprint)
    assert fingerprints[0] == fingerprints[1]
    assert run("layers", *chosen, tmp_path / "c.pt", "--ema")[0] == 0
    assert run("weights", "convert", tmp_path / "c.pt", tmp_path / "new.safetensors", "--ema")[0] == 0
    assert open_network("scenes", weights=tmp_path / "new.safetensors").fingerprint == fingerprints[0]
    status, _, err = run("layers", *chosen, tmp_path / "averaged.pt", "--ema")
    assert (status, "no averaged weights" in err) == (2, True)
    status, _, err = run("layers", "--network", "scenes", "--ema")
    assert (status, "name one with --weights" in err) == (2, True)
    for command in ("build", "explain", "layers", "weights convert", *(f"evaluate {name}" for name in PROTOCOLS)):
        page = run(*command.split(), "--help")[1]
        assert ("--ema" in page) == ("--weights" in page or command == "weights convert"), command


def test_averaged_weights_beside_raw_ones_are_a_note(tmp_path: Path) -> None:
    module = open_network("scenes").module
    torch.save({"model": module.state_dict(), "model_ema": module.state_dict()}, tmp_path / "c.pt")
    command = [sys.executable, "-m", "neuronexplain", "layers", "--network", "scenes", "--weights", tmp_path / "c.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Note: " in done.stderr
    assert "also holds averaged weights (model_ema), and the others were taken; --ema takes those." in done.stderr
    assert "Warning" not in done.stderr
