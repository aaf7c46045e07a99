"""Published networks, exported programs and extras open as their authors publish them, from files made the same way."""

import pickle
import re
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models

from dissection.errors import DownloadError, NetworkError, WeightsError
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources import published_weights
from dissection.networks.sources.places365 import places_classes, places_names
from dissection.vocabulary import Layer

DATA = Path(__file__).parents[2] / "shared" / "data"


def thin(module: nn.Module) -> dict[str, Tensor]:
    """A state dict of full shapes that takes a number per tensor on disk, and is loaded into the module."""
    generator = torch.Generator().manual_seed(0)
    state = {
        name: (value.fill_(0) if value.dtype == torch.long else 0.2 * torch.rand((), generator=generator)).expand(
            value.shape
        )
        if value.ndim
        else value
        for name, value in module.state_dict().items()
    }
    module.load_state_dict(state)
    return state


class Python2(pickle._Pickler):
    """Writes text as Python 2 did, which published these files: as bytes."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_str(self, text: str) -> None:
        data = text.encode("latin1")
        short = len(data) < 256
        head = pickle.SHORT_BINSTRING + bytes([len(data)]) if short else pickle.BINSTRING + struct.pack("<i", len(data))
        self.write(head + data)
        self.memoize(text)

    dispatch[str] = save_str


def save_old(content: object, path: Path) -> None:
    """Saves a state dict as Python 2 and torch 0.2 did."""
    module = SimpleNamespace(
        Pickler=Python2, dump=lambda thing, file, protocol: Python2(file, protocol).dump(thing), __name__="python2"
    )
    torch.save(content, path, pickle_module=module, _use_new_zipfile_serialization=False)


def parallel(name: str) -> str:
    return f"module.{name}"


def parallel_features(name: str) -> str:
    return name.replace("features.", "features.module.")


def old_dense(name: str) -> str:
    return parallel(re.sub(r"(denselayer\d+\.(?:norm|conv))(?=[12])", r"\1.", name))


@pytest.mark.parametrize(
    ("architecture", "rename", "layer"),
    [
        ("resnet18", parallel, Layer("layer4", 512, 7, 7)),
        ("resnet50", parallel, Layer("layer4", 2048, 7, 7)),
        ("alexnet", parallel_features, Layer("features.11", 256, 13, 13)),
        ("densenet161", old_dense, Layer("features.norm5", 2208, 7, 7, "relu")),
    ],
)
def test_places365(architecture: str, rename: object, layer: Layer, tmp_path: Path) -> None:
    module = models.get_model(architecture, num_classes=365).eval()
    state = {rename(name): value for name, value in thin(module).items() if "num_batches" not in name}
    path = tmp_path / f"{architecture}_places365.pth.tar"
    save_old({"arch": architecture, "epoch": 90, "best_prec1": torch.tensor(54.7), "state_dict": state}, path)
    network = open_network(f"places365/{architecture}", weights=path)
    assert network.layer == layer
    assert network.preprocessing == Preprocessing((224, 224), (256, 256))
    assert (network.classes[0], network.classes[364]) == ("airfield", "zen garden")
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(network.module(image), module(image))
    assert network.source.network == f"places365/{architecture}"


def test_the_vgg16_of_the_dissection_authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for initialise in ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_"):
        monkeypatch.setattr(nn.init, initialise, lambda tensor, *_, **__: tensor)  # 138 million numbers take a while
    module = models.vgg16(num_classes=365).eval()
    convolutions = [f"conv{block}_{n}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, count + 1)]
    places = [index for index, part in enumerate(module.features) if isinstance(part, nn.Conv2d)]
    names = {f"features.{index}": f"features.{name}" for index, name in zip(places, convolutions, strict=True)}
    names |= {"classifier.0": "classifier.fc6", "classifier.3": "classifier.fc7", "classifier.6": "classifier.fc8a"}
    state = {re.sub(r"^\w+\.\d+", lambda found: names[found[0]], name): value for name, value in thin(module).items()}
    torch.save(state, tmp_path / "vgg16_places365-6e38b568.pth")
    network = open_network("places365/vgg16", weights=tmp_path / "vgg16_places365-6e38b568.pth", input_size=56)
    assert network.layer == Layer("features.relu5_3", 512, 3, 3)
    assert network.preprocessing == Preprocessing().changed(input_size=56)
    assert len(network.classes) == 365
    image = torch.randn(1, 3, 56, 56)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image), module(image))


def test_places365_is_fetched_from_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unreachable(url: str, path: Path, **options: object) -> None:
        asked.append((url, path.name, options["digest"]))
        raise DownloadError("cannot fetch it")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(published_weights, "download", unreachable)
    for name in places_names():
        with pytest.raises(WeightsError, match=f"no published weights of {name}: .*--weights FILE"):
            open_network(name)
    site = "http://places2.csail.mit.edu/models_places365/"
    assert asked[0] == (f"{site}alexnet_places365.pth.tar", "alexnet_places365.pth.tar", None)
    assert asked[-1][2] == "sha256:6e38b568"


@pytest.mark.skipif(not DATA.is_dir(), reason="shared data is not here")
def test_the_labels_of_places365_are_those_published() -> None:
    published = (DATA / "places365-classes.txt").read_text().split()
    assert [label.replace(" ", "_") for label in places_classes()] == published


@pytest.mark.parametrize("name", ["places365/resnet34", "places365/", "vgg16_places"])
def test_near_names_are_offered(name: str) -> None:
    with pytest.raises(NetworkError, match=r"choose one, such as .*(places365|vgg16).*neuronexplain networks"):
        open_network(name)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("timm/resnet18", "timm"),
        ("hf/microsoft/resnet-50", "transformers"),
        ("efficientnet-lite0", "efficientnet_lite_pytorch"),
    ],
)
def test_extras_that_are_not_installed(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NetworkError, match=r"needs a package that is not installed .*pip install 'neuronexplain\["):
        open_network(name)


class Small(nn.Module):
    def __init__(self, stride: int = 1, inputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(inputs, 5, 3, stride), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 6, 3))
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).relu().mean((2, 3)))


def exported(module: nn.Module, path: Path, *shape: int, dynamic: bool = True) -> Path:
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    torch.export.save(torch.export.export(module, (torch.randn(*shape),), dynamic_shapes=shapes), path)
    return path


exporting = pytest.mark.filterwarnings("ignore")
"""torch's exporter warns of its own parts."""


@exporting
def test_an_exported_program(tmp_path: Path) -> None:
    module = Small().eval()
    path = exported(module, tmp_path / "small.pt2", 2, 3, 16, 16)
    network = open_network(str(path))
    assert network.layer == Layer("features.3", 6, 12, 12, "relu")
    assert (network.name, network.preprocessing.size) == ("small", (16, 16))
    images = torch.randn(3, 3, 16, 16)
    result = forward(network, images)
    torch.testing.assert_close(result.scores, module(images))
    torch.testing.assert_close(result.activation, module.features(images).relu())
    again = open_network(network.source.network, preprocessing=network.preprocessing)
    assert again.fingerprint == network.fingerprint
    other = open_network(str(exported(Small(stride=2).eval(), tmp_path / "other.pt2", 2, 3, 16, 16)))
    assert other.fingerprint != network.fingerprint


@exporting
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: exported(Small().eval(), path, 1, 3, 16, 16, dynamic=False), "takes inputs of shape .*any size"),
        (
            lambda path: exported(Small().train(), path, 2, 3, 16, 16),
            r"module 'features.1' .* mixes .*; an exported program: model.eval\(\)",
        ),
        (
            lambda path: exported(nn.Sequential(Small().eval(), nn.Dropout()), path, 2, 3, 16, 16),
            r"draws random numbers .*; an exported program: model.eval\(\)",
        ),
        (lambda path: path.write_bytes(b"PK no program"), "is not a program that this torch can open"),
        (lambda path: None, "no file"),
    ],
    ids=["batch", "training", "dropout", "foreign", "none"],
)
def test_programs_that_will_not_do(make: object, message: str, tmp_path: Path) -> None:
    make(tmp_path / "p.pt2")
    with pytest.raises(NetworkError, match=message):
        open_network(str(tmp_path / "p.pt2"))


@exporting
def test_torchscript_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(Small().eval(), torch.randn(1, 3, 16, 16)), path)
    with pytest.raises(NetworkError, match=r"is a TorchScript program, whose layers cannot be read; .*\.pt2"):
        open_network(str(path))


def test_grey_networks(tmp_path: Path) -> None:
    (tmp_path / "grey.py").write_text(
        "from torch import nn\n"
        "def make(inputs=1):\n"
        "    body = nn.Conv2d(inputs, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()\n"
        "    return nn.Sequential(*body, nn.Linear(5, 3))\n"
        "def infrared():\n"
        "    return make(4)\n"
    )
    network = open_network(f"{tmp_path}/grey.py:make", input_size=16, channels=1, mean=(0.5,), std=(0.5,))
    assert network.layer == Layer("1", 5, 14, 14)
    frame = network.preprocessing.tensor(Image.new("RGB", (16, 16), (255, 0, 0)))
    assert frame.shape == (1, 16, 16)
    assert forward(network, frame[None]).scores.shape == (1, 3)
    stored = Preprocessing.from_canonical(network.preprocessing.canonical)
    again = open_network(network.source.network, preprocessing=stored)
    assert (again.preprocessing, again.layer) == (network.preprocessing, network.layer)
    with pytest.raises(NetworkError, match=r"an RGB image of 224x224 .*takes 1 channels; give --channels 1"):
        open_network(f"{tmp_path}/grey.py:make")
    with pytest.raises(NetworkError, match=r"takes 4 channels; wrap it"):
        open_network(f"{tmp_path}/grey.py:infrared")


def test_an_output_is_part_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(
        "from torch import nn\n"
        "class Two(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.a, self.b = nn.Conv2d(3, 5, 3), nn.Linear(5, 2), nn.Linear(5, 3)\n"
        "    def forward(self, x):\n"
        "        x = self.conv(x).relu().mean((2, 3))\n"
        "        return {'a': self.a(x), 'b': self.b(x)}\n"
    )
    network = open_network(f"{tmp_path}/two.py:Two", input_size=16, output="b", multi_label=True)
    assert (len(network.classes), network.source.output, network.head.independent) == (3, "b", True)
    with pytest.raises(NetworkError, match="say with --output"):
        open_network(f"{tmp_path}/two.py:Two", input_size=16)


def test_a_factorys_network_keeps_its_head(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "from neuronexplain import Network, Preprocessing\n"
        "def make():\n"
        "    body = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()\n"
        "    net = nn.Sequential(*body, nn.Linear(5, 3))\n"
        "    return Network.from_module(net, preprocessing=Preprocessing((16, 16), 16), multi_label=True)\n"
    )
    assert open_network(f"{tmp_path}/own.py:make").head.independent
    assert isinstance(open_network(f"{tmp_path}/own.py:make"), Network)
