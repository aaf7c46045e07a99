"""A network is opened by the name that a user gives, and knows its layer, its classes and its fingerprint."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from dissection.errors import DownloadError, LayerNotFoundError, NetworkError, WeightsError
from dissection.networks.network import Network
from dissection.networks.network_source import Source
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import IMAGENET_MEAN, Preprocessing
from dissection.networks.sources.architectures import _last_layer
from dissection.vocabulary import Layer

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared data is not here")

SMALL = Preprocessing((16, 16), 18)

FACTORY = """
from torch import nn
from blocks import block

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(*block(3, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))

def make():
    return Net().train()

def network():
    from neuronexplain import Network, Preprocessing
    own = Preprocessing((16, 16), (16, 16), (0, 0, 0), (1, 1, 1))
    return Network.from_module(Net(), layer="0", preprocessing=own, classes=["a", "b", "c"], name="mine")

ready = Net()

def broken():
    raise ValueError("no weights\\nfound")

def leaves():
    raise SystemExit(3)

def text():
    return "a network"
"""

BLOCKS = """
from torch import nn
def block(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True)]
"""


def tiny(slope: float = 0.1) -> nn.Sequential:
    torch.manual_seed(1)
    body = [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.LeakyReLU(slope)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))


def from_tiny(module: nn.Module | None = None, **options: Any) -> Network:
    return Network.from_module(module or tiny(), preprocessing=SMALL, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "blocks.py").write_text(BLOCKS)
    (tmp_path / "model.py").write_text(FACTORY)
    return tmp_path / "model.py"


def test_from_module() -> None:
    module = tiny()
    network = from_tiny(module, classes=["x", "y", "z"], name="tiny")
    assert (network.module, network.name, network.classes) == (module, "tiny", ("x", "y", "z"))
    assert network.layer == Layer("2", 5, 14, 14)
    assert network.device == torch.device("cpu")
    assert network.source is None
    assert module.training
    assert network.to("cpu") is network


def test_defaults() -> None:
    network = Network.from_module(tiny())
    assert network.preprocessing == Preprocessing((224, 224), 256, IMAGENET_MEAN)
    assert network.classes == ("class 0", "class 1", "class 2")
    assert network.name == "Sequential"


def test_labels_must_be_as_many_as_the_scores() -> None:
    with pytest.raises(NetworkError, match="tiny has 3 classes, but 2 labels are given"):
        from_tiny(classes=["x", "y"], name="tiny")


def test_fingerprint_is_of_weights_buffers_layer_and_settings() -> None:
    base = from_tiny().fingerprint
    assert len(base) == 64
    assert from_tiny(name="another", classes=["x", "y", "z"]).fingerprint == base
    assert from_tiny(layer="1").fingerprint != base
    assert from_tiny(tiny(slope=0.2)).fingerprint != base
    assert from_tiny(tiny().double()).fingerprint != base
    for name in ("0.weight", "5.bias", "1.running_var", "1.num_batches_tracked"):
        module = tiny()
        module.state_dict()[name].view(-1)[-1:].add_(1)
        assert from_tiny(module).fingerprint != base, name


def test_fingerprint_of_bfloat16_reads_bits() -> None:
    one, other = tiny().bfloat16(), tiny().bfloat16()
    assert from_tiny(one).fingerprint == from_tiny(other).fingerprint
    with torch.no_grad():
        other[0].weight[0, 0, 0, 0] *= -1
    assert from_tiny(one).fingerprint != from_tiny(other).fingerprint


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_fingerprint_is_the_same_on_every_device() -> None:
    here = from_tiny().fingerprint
    there = from_tiny().to("cuda")
    assert there.device.type == "cuda"
    assert there.fingerprint == here == from_tiny(tiny().cuda()).fingerprint


def test_no_such_device() -> None:
    with pytest.raises(NetworkError, match="cannot be moved to device 'abacus'"):
        from_tiny().to("abacus")


def test_source_is_plain_json() -> None:
    source = Source("vgg16", "w.pt")
    assert Source.from_json(source.to_json()) == source
    assert source.to_json() == {"network": "vgg16", "weights": "w.pt"}
    assert Source.from_json({"network": "scenes"}) == Source("scenes")
    unusual = Source("vgg16", None, "logits", multi_label=True)
    assert Source.from_json(unusual.to_json()) == unusual
    with pytest.raises(NetworkError, match="is not a source of a network"):
        Source.from_json({"weights": "w.pt"})


def test_factory_in_a_file(file: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    network = open_network(f"{file}:make", preprocessing=SMALL)
    assert network.layer == Layer("1", 5, 14, 14)
    assert network.name == "make"
    assert not any(part.training for part in network.module.modules())
    assert network.source == Source(f"{file}:make")
    assert sys.path == path
    assert "blocks" not in set(sys.modules) - modules


def test_two_folders_with_files_of_the_same_names(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.py").write_text(FACTORY)
    (other / "blocks.py").write_text(BLOCKS.replace("ReLU(inplace=True)", "Tanh()"))
    assert isinstance(open_network(f"{file}:make").module[1], nn.ReLU)
    assert isinstance(open_network(f"{other}/model.py:make").module[1], nn.Tanh)
    assert isinstance(open_network(f"{file}:make").module[1], nn.ReLU)


def test_relative_files_become_absolute_sources(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert open_network("model.py:make").source == Source(f"{file}:make")


@pytest.mark.parametrize("name", ["Net", "ready"])
def test_a_class_or_a_module_will_do(file: Path, name: str) -> None:
    assert open_network(f"{file}:{name}").layer.units == 5


def test_a_factory_of_a_network_says_the_rest(file: Path) -> None:
    network = open_network(f"{file}:network")
    assert (network.name, network.classes, network.layer.name) == ("mine", ("a", "b", "c"), "0")
    assert network.preprocessing.std == (1, 1, 1)
    changed = open_network(f"{file}:network", layer="1", classes=["x", "y", "z"], std=(2, 2, 2), input_size=32)
    assert (changed.classes, changed.layer.name) == (("x", "y", "z"), "1")
    assert changed.preprocessing == Preprocessing((32, 32), (32, 32), (0, 0, 0), (2, 2, 2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", r"failed with ValueError \(no weights found"),
        ("leaves", r"failed with SystemExit \(3"),
        ("text", "gives a str; let it give"),
        ("mak", "no 'mak' is defined; choose one of make"),
        ("", "no 'factory' is defined; choose one of"),
    ],
)
def test_factories_that_fail(file: Path, name: str, message: str) -> None:
    path = list(sys.path)
    with pytest.raises(NetworkError, match=message):
        open_network(f"{file}:{name}")
    assert sys.path == path


def test_files_that_fail(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def make(:\n")
    with pytest.raises(NetworkError, match=r"bad.py:make failed with SyntaxError"):
        open_network(f"{tmp_path}/bad.py:make")
    with pytest.raises(NetworkError, match="no file"):
        open_network(f"{tmp_path}/none.py:make")


def test_factory_in_a_package() -> None:
    network = open_network("torchvision.models:squeezenet1_1", input_size=64)
    assert network.layer == Layer("features.12", 512, 3, 3)
    with pytest.raises(NetworkError, match="ModuleNotFoundError"):
        open_network("no_such_package:make")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("squeeznet1_1", "choose one, such as squeezenet1_1"),
        ("Scenes", "choose one, such as scenes"),
        ("fcn_resnet50", "no network is called"),
        ("?", "give scenes, a torchvision name"),
        ("model.py", "model.py:FACTORY"),
        (__file__.removesuffix(".py"), "no network is called"),
    ],
)
def test_names_that_are_no_networks(name: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        open_network(name)


def test_a_weights_file_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").touch()
    with pytest.raises(NetworkError, match="give the file with --weights"):
        open_network(str(tmp_path / "w.safetensors"))


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """A file of random weights with 7 classes."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    module = models.squeezenet1_1(num_classes=7).eval()
    save_file(module.state_dict(), path)
    return path, module


def test_torchvision_name_with_a_file(squeezenet: tuple[Path, nn.Module], tmp_path: Path) -> None:
    path, module = squeezenet
    labels = tmp_path / "classes.txt"
    labels.write_text("\ufeffa\n b\nc\nd\ne\nf\ng\n\n", "utf-8")
    noise = torch.get_rng_state()
    network = open_network("squeezenet1_1", weights=path, classes=labels)
    assert network.classes == tuple("abcdefg")
    assert network.preprocessing == Preprocessing((224, 224), 256)
    assert network.source == Source("squeezenet1_1", str(path))
    assert torch.equal(torch.get_rng_state(), noise)
    image = torch.randn(1, 3, 224, 224)
    assert torch.equal(network.module(image), module(image))
    assert open_network("squeezenet1_1", weights=path).classes[6] == "class 6"


def test_a_source_and_preprocessing_make_the_network_again(squeezenet: tuple[Path, nn.Module]) -> None:
    first = open_network("squeezenet1_1", weights=squeezenet[0], mean=(0, 0, 0), input_size=96, layer="features.11")
    assert first.source is not None
    stored = Preprocessing.from_canonical(first.preprocessing.canonical)
    again = open_network(
        first.source.network, weights=first.source.weights, layer=first.layer.name, preprocessing=stored
    )
    assert (again.fingerprint, again.layer, again.preprocessing) == (
        first.fingerprint,
        first.layer,
        first.preprocessing,
    )


def test_files_that_do_not_go_with_the_network(squeezenet: tuple[Path, nn.Module], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit SqueezeNet"):
        open_network("squeezenet1_0", weights=squeezenet[0])
    with pytest.raises(WeightsError, match="no weights file"):
        open_network("squeezenet1_1", weights=tmp_path / "none.pt")
    with pytest.raises(LayerNotFoundError, match="no layer 'layer4'"):
        open_network("squeezenet1_1", weights=squeezenet[0], layer="layer4")
    with pytest.raises(NetworkError, match="cannot read class labels"):
        open_network("squeezenet1_1", weights=squeezenet[0], classes=tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(NetworkError, match="holds no class labels"):
        open_network("squeezenet1_1", weights=squeezenet[0], classes=tmp_path / "empty.txt")


def test_published_weights_come_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = models.SqueezeNet1_1_Weights.DEFAULT
    cached = tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    torch.save(models.squeezenet1_1().state_dict(), cached)
    network = open_network("squeezenet1_1")
    assert network.classes[0] == "tench"
    assert network.source == Source("squeezenet1_1")


def test_published_weights_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(url: str, *_args: object, **_options: object) -> None:
        raise DownloadError(f"cannot fetch {url} (the host was not found)")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("dissection.networks.sources.published_weights.download", unreachable)
    with pytest.raises(WeightsError, match=r"cannot fetch http\S+/resnet18-\w+\.pth \(the host was.*--weights FILE"):
        open_network("resnet18")
    assert capsys.readouterr().out == ""


def test_a_published_file_keeps_its_own_preprocessing_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / models.EfficientNet_B1_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save(models.efficientnet_b1().state_dict(), path)
    assert open_network("efficientnet_b1", weights=path).preprocessing == Preprocessing(
        (240, 240), 256, interpolation="bicubic"
    )


def test_densenets_published_names_are_understood(tmp_path: Path) -> None:
    state = models.densenet121(num_classes=3).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(?=[12])", r"\1.", name): value for name, value in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "d.pt")
    network = open_network("densenet121", weights=tmp_path / "d.pt", input_size=64)
    assert network.layer == Layer("features.norm5", 1024, 2, 2, "relu")
    assert len(network.classes) == 3


@pytest.mark.parametrize(
    ("name", "layer"),
    [("vgg11", "classifier.6"), ("resnet18", "fc"), ("densenet121", "classifier"), ("googlenet", "fc")],
)
def test_the_last_layer_counts_the_classes(name: str, layer: str) -> None:
    assert _last_layer(name) == layer


@needs_data
def test_imagenets_squeezenet_knows_a_tench() -> None:
    network = open_network(
        "squeezenet1_0",
        weights=DATA / "weights" / "squeezenet1_0-imagenet.safetensors",
        mean=(123 / 255, 117 / 255, 104 / 255),
        std=(1 / 255,) * 3,
        input_size=227,
        resize=(256, 256),
    )
    assert network.layer == Layer("features.12", 512, 13, 13)
    assert list(network.classes) == (DATA / "imagenet-classes.txt").read_text().split("\n")[:1000]
    with Image.open(next((DATA / "imagenet" / "n01440764").glob("*.jpg"))) as photo:
        image = network.preprocessing.tensor(network.preprocessing.frame(photo))
    with torch.no_grad():
        assert network.classes[network.module(image[None]).argmax()] == "tench"


def _divides_by_no_eps() -> bool:
    """Whether this torch runs a batch normalisation with eps 0, as the Places network has; 2.11 does not."""
    try:
        torch.nn.BatchNorm2d(1, eps=0).eval()(torch.ones(1, 1, 1, 1))
    except ValueError:
        return False
    return True


@needs_data
@pytest.mark.skipif(not _divides_by_no_eps(), reason="this torch refuses the network's eps of 0")
def test_places_squeezenet_comes_from_a_file() -> None:
    network = open_network(
        f"{DATA}/networks/squeezenet_places365.py:squeezenet_places365",
        classes=DATA / "places365-classes.txt",
        mean=(0.4576, 0.4412, 0.4080),
        std=(1, 1, 1),
    )
    assert network.layer == Layer("features.11", 512, 13, 13)
    assert network.classes[0] == "airfield"


def test_scenes() -> None:
    network = open_network("scenes")
    assert network.preprocessing.resize == network.preprocessing.size == (112, 112)
    assert network.layer.rectifier == ""
    assert len(network.classes) >= 10
    assert not any("_" in label for label in network.classes)
    assert network.source == Source("scenes")
