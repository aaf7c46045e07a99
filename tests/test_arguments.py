"""Every public function takes what people hold, and says in one sentence what it does not take."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import unchecked
from torch import nn
from worlds import (
    CLASSES,
    COLOURS,
    PLAIN,
    colour_concepts,
    colour_net,
    colour_network,
    colour_square,
    write_colour_folder,
)

import neuronexplain as api
from db import NameStore, RunNotFoundError
from dissection.errors import ClassNotFoundError, NetworkError, PhotographError
from neuronexplain.arguments import picture_of

QUICK = {"min_images": 1, "draws": 0}


class World:
    """All that a person could hold after a build: in memory, in files, and by name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.module = colour_net()
        self.network = colour_network()
        self.concepts = colour_concepts(8)
        self.folder = write_colour_folder(root / "squares", 8)
        self.factory = root / "colours.py"
        self.factory.write_text(
            f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom worlds import colour_network\n"
        )
        self.name = f"{self.factory}:colour_network"
        self.by_class = root / "by-class"
        for label, colour in zip(CLASSES, COLOURS, strict=True):
            (self.by_class / label).mkdir(parents=True)
            colour_square(colour).save(self.by_class / label / "1.png")
        self.picture = colour_square("green")
        self.array = np.asarray(self.picture)
        self.file = root / "lawn.png"
        self.picture.save(self.file)
        self.database = root / "names.db"
        with NameStore.create(self.database) as store:
            self.run = api.build(self.network, self.concepts, store, **QUICK).run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def store(world):
    with NameStore.open(world.database) as opened:
        yield opened


def tensor(world: World) -> torch.Tensor:
    return torch.from_numpy(world.array.copy()).permute(2, 0, 1)


IMAGES = {
    "path": lambda world: world.file,
    "text": lambda world: str(world.file),
    "picture": lambda world: world.picture,
    "opened picture": lambda world: Image.open(world.file),
    "palette": lambda world: world.picture.quantize(8),
    "opaque picture": lambda world: world.picture.convert("RGBA"),
    "bytes": lambda world: world.array,
    "bytes in another order in memory": lambda world: np.asfortranarray(world.array),
    "four colours": lambda world: np.asarray(world.picture.convert("RGBA")),
    "floats": lambda world: world.array / 255,
    "floats32": lambda world: (world.array / 255).astype(np.float32),
    "tensor of bytes": tensor,
    "tensor of floats": lambda world: tensor(world) / 255,
    "tensor of half floats": lambda world: tensor(world).half() / 255,
    "tensor with a gradient": lambda world: (tensor(world) / 255).requires_grad_(),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_explain_takes_a_photograph_as(kind, world, store):
    expected = api.explain(world.file, world.network, store)
    explanation = api.explain(IMAGES[kind](world), world.network, store)
    assert explanation.sentence == expected.sentence
    assert np.array_equal(explanation.heatmap, expected.heatmap)
    assert explanation.image == (str(world.file) if kind in {"path", "text"} else "the picture")


def test_explain_takes_several_photographs_at_once(world, store):
    images = [make(world) for make in IMAGES.values()]
    expected = api.explain(world.file, world.network, store).sentence
    for several in (images, tuple(images), iter(images)):
        explanations = api.explain(several, world.network, store)
        assert [explanation.sentence for explanation in explanations] == [expected] * len(images)
    assert [explanation.image for explanation in explanations[:3]] == [str(world.file), str(world.file), "picture 3"]
    assert len(api.explain(list(np.stack([world.array] * 2)), world.network, store)) == 2
    assert len(api.explain(list(torch.stack([tensor(world)] * 3)), world.network, store)) == 3
    assert api.explain([], world.network, store) == []


def test_an_explainer_takes_photographs_with_and_without_names(world, store):
    explainer = api.Explainer.from_store(world.module, world.database)
    named = list(explainer.explain([("mine", world.array), world.file, world.picture]))
    assert [explanation.image for explanation in named] == ["mine", str(world.file), "picture 3"]
    (single,) = explainer.explain(world.file)
    assert single.sentence == named[0].sentence


NETWORKS = {
    "network": lambda world: world.network,
    "module": lambda world: world.module,
    "name": lambda world: world.name,
    "path": lambda world: Path(world.name),
}
STORES = {
    "store": lambda world, store: store,
    "path": lambda world, store: world.database,
    "text": lambda world, store: str(world.database),
    "url": lambda world, store: f"sqlite:///{world.database}",
}
RUNS = {
    "run": lambda run: run,
    "number": lambda run: run.id,
    "number of numpy": lambda run: np.int64(run.id),
}


@pytest.mark.parametrize("where", STORES)
@pytest.mark.parametrize("network", NETWORKS)
def test_explain_takes_a_network_and_a_store_as(network, where, world, store):
    explanation = api.explain(world.file, NETWORKS[network](world), STORES[where](world, store), run=world.run.id)
    assert explanation.sentence == api.explain(world.file, world.network, store).sentence
    assert explanation.target.label == "lawn"
    named = api.Explainer.from_store(NETWORKS[network](world), STORES[where](world, store)).names
    assert named == store.names(world.run)


def test_a_module_is_read_as_its_run_says(world, tmp_path):
    """At its layer, with its preprocessing and classes; ImageNet's are not assumed, which would be a warning."""
    network = api.Network.from_module(world.module, layer="detect", preprocessing=PLAIN, classes=CLASSES)
    api.build(network, world.concepts, tmp_path / "names.db", **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer = api.Explainer.from_store(world.module, tmp_path / "names.db")
    assert explainer.network.layer.name == "detect"
    assert explainer.network.preprocessing == PLAIN
    other = colour_net()
    with torch.no_grad():
        other.detect.weight.mul_(2)
    with pytest.warns(UserWarning, match="nothing says what"), pytest.raises(RunNotFoundError, match="weights differ"):
        api.explain(world.file, other, tmp_path / "names.db")


@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_taken_as(run, world, store):
    chosen = RUNS[run](world.run)
    assert api.explain(world.file, world.network, store, run=chosen).target.label == "lawn"
    expected = api.units_frame(store, world.run)
    for frame in (api.units_frame(world.database, chosen), api.units_frame(world.database)):
        assert frame.equals(expected)
    assert api.overlaps_frame(str(world.database), chosen).equals(api.overlaps_frame(store, world.run))
    assert api.importances_frame(world.database, chosen).equals(api.importances_frame(store, world.run))
    assert api.open_network_of(chosen, store=store, network=world.name).fingerprint == world.network.fingerprint
    assert store.dissection(chosen) == store.dissection(world.run)
    assert store.unit(chosen, 1) == store.unit(world.run, 1)
    assert store.names(chosen) == store.names(world.run)
    assert store.concepts_of(chosen, 1) == store.concepts_of(world.run, 1)
    assert store.classes_for(chosen, "green") == store.classes_for(world.run, "green")
    assert store.choose(chosen) == world.run


def test_frames_take_a_path(world, store):
    assert api.runs_frame(world.database).equals(api.runs_frame(store))
    assert store.runs() == [world.run]  # a store that was passed stays open


def test_the_newest_run_is_taken(world, tmp_path):
    database = tmp_path / "names.db"
    first = api.build(world.network, world.concepts, database, **QUICK).run
    second = api.build(world.network, world.concepts, database, min_images=2, draws=0).run
    assert first.id < second.id
    with NameStore.open(database) as store:
        assert store.newest() == second
        assert api.units_frame(database).equals(api.units_frame(store, second))
    with NameStore.create(tmp_path / "empty.db"):
        pass
    with pytest.raises(RunNotFoundError, match="has no run yet"):
        api.units_frame(tmp_path / "empty.db")


@pytest.mark.parametrize("concepts", ["data", "folder", "text"])
@pytest.mark.parametrize("network", NETWORKS)
def test_build_and_dissect_take(network, concepts, world, tmp_path):
    held = {"data": world.concepts, "folder": world.folder, "text": str(world.folder)}[concepts]
    built = api.build(NETWORKS[network](world), held, tmp_path / "names.db", **QUICK)
    assert built.is_new
    (again,) = api.build_layers([NETWORKS[network](world)], held, str(tmp_path / "names.db"), **QUICK)
    assert (again.run, again.is_new) == (built.run, False)
    dissection = api.dissect(NETWORKS[network](world), held, min_images=1)
    with NameStore.open(tmp_path / "names.db") as store:
        assert store.dissection(1) == dissection
    names = {unit: name.concept.spoken for unit, name in dissection.names().items()}
    assert names == dict(enumerate(COLOURS))


def test_build_takes_a_folder_of_images_by_class(world, tmp_path):
    images = api.open_class_images(str(world.by_class), CLASSES)
    runs = [
        api.build(world.network, world.concepts, tmp_path / f"{number}.db", class_images=held, **QUICK).run
        for number, held in enumerate([world.by_class, str(world.by_class), images])
    ]
    assert len({run.key for run in runs}) == 1
    assert "by-class" in runs[0].evidence


def test_a_refused_build_leaves_no_database(world, tmp_path):
    with unchecked(), pytest.raises(TypeError):
        api.build(world.network, 7, tmp_path / "names.db")
    assert not list(tmp_path.iterdir())


def test_a_store_that_was_opened_for_a_call_is_closed_again(world, monkeypatch):
    closed = []
    monkeypatch.setattr(NameStore, "close", lambda store: closed.append(store.where))
    api.explain(world.file, world.network, world.database)
    api.units_frame(world.database)
    assert closed == [str(world.database)] * 2


def test_a_store_is_only_read_where_nothing_is_written(world, tmp_path):
    with pytest.raises(api.NeuronExplainError, match=r"missing\.db"):
        api.explain(world.file, world.network, tmp_path / "missing.db")
    assert not list(tmp_path.iterdir())


TARGETS = {
    "label": ("Lawn", 1),
    "index": (1, 1),
    "index of numpy": (np.int64(1), 1),
    "tensor of one index": (torch.tensor(1), 1),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_class_is_taken_as(kind, world, store):
    target, index = TARGETS[kind]
    assert api.explain(world.file, world.network, store, target=target).target.index == index
    expected = api.saliency(world.network, [world.file], index)
    assert torch.equal(api.saliency(world.network, world.file, target), expected)


def test_a_class_for_each_image(world):
    images = [world.file, world.array]
    expected = api.saliency(world.network, images, torch.tensor([1, 2]))
    for targets in (["lawn", "lake"], (1, "lake"), np.array([1, 2])):
        assert torch.equal(api.saliency(world.network, images, targets), expected)


@pytest.mark.parametrize("kind", IMAGES)
def test_saliency_takes_a_photograph_as(kind, world):
    preprocessed = PLAIN.tensor(PLAIN.frame(world.picture))[None]
    expected = api.saliency(world.network, preprocessed, 1)
    image = IMAGES[kind](world)
    assert torch.equal(api.saliency(world.network, image, "lawn"), expected)
    if isinstance(image, torch.Tensor) and not image.is_floating_point():
        assert torch.equal(api.saliency(world.network, image[None], "lawn"), expected)


def test_saliency_takes_a_module_and_a_name(world):
    expected = api.saliency(world.network, world.file, 1)
    assert torch.equal(api.saliency(world.name, world.file, "lawn"), expected)
    with pytest.warns(UserWarning, match="nothing says what"):
        maps = api.saliency(world.module, world.file, "class 1")
    assert maps.shape == (1, 224, 224)


def test_methods_are_taken_as_one_name_or_several(world, store):
    for methods in ("gradient", ["gradient"], ("gradient",), iter(["gradient"])):
        explanation = api.explain(world.file, world.network, store, methods=methods)
        assert [other.method.name for other in explanation.others] == ["gradient"]


def test_an_index_is_an_index_even_where_labels_are_numbers(world, tmp_path):
    network = api.Network.from_module(world.module, preprocessing=PLAIN, classes=("3", "2", "1", "0"))
    api.build(network, world.concepts, tmp_path / "names.db", **QUICK)
    assert api.explain(world.file, network, tmp_path / "names.db", target=1).target.label == "2"
    assert api.explain(world.file, network, tmp_path / "names.db", target="1").target.label == "1"


def test_pictures_are_upright_and_opaque_as_files_are(world, tmp_path):
    photograph = Image.new("RGB", (20, 10), (200, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph.save(tmp_path / "turned.png", exif=exif)
    assert picture_of(Image.open(tmp_path / "turned.png")).size == (10, 20)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    for image in (clear, tmp_path / "clear.png", np.asarray(clear), torch.zeros(4, 4, 4, dtype=torch.uint8)):
        assert picture_of(image).getpixel((0, 0)) == (255, 255, 255)
    deep = Image.fromarray(np.full((4, 4), 65535, np.uint16))
    assert picture_of(deep).getpixel((0, 0)) == (255, 255, 255)
    assert picture_of(np.full((4, 4), 77, np.uint8)).getpixel((0, 0)) == (77, 77, 77)
    assert picture_of(torch.full((1, 4, 4), 0.5)).getpixel((0, 0)) == (128, 128, 128)
    cut = (tmp_path / "cut.jpg").open("wb")
    world.picture.resize((200, 200)).save(cut, "jpeg")
    cut.truncate(900)
    cut.close()
    with (
        Image.open(tmp_path / "cut.jpg") as damaged,
        pytest.raises(PhotographError, match="the picture: the image is cut short or damaged"),
    ):
        picture_of(damaged)
    with pytest.raises(PhotographError, match="empty"):
        picture_of(Image.new("RGB", (0, 4)))


NETWORK = "give a Network, a torch.nn.Module, or a name that open_network takes"
STORE = "give a NameStore, or the path or URL of a database"
IMAGE = "give a path, a picture of Pillow, an array"
FLOATS = torch.full((3, 8, 8), 0.5)
REFUSED = {
    "build: network": (lambda w: api.build(3, w.concepts, w.database), rf"^network is an int \(3\); {NETWORK}$"),
    "build: class of network": (lambda w: api.build(nn.Linear, w.concepts, w.database), "network is the class Linear"),
    "build: concepts": (lambda w: api.build(w.network, 3, w.database), r"^concepts is an int \(3\); give a Concept"),
    "build: no concepts": (lambda w: api.build(w.network, None, w.database), "^concepts is None; give"),
    "build: list of concepts": (lambda w: api.build(w.network, [w.folder], w.database), "concepts is a list of 1"),
    "build: store": (lambda w: api.build(w.network, w.concepts, 3), rf"^store is an int \(3\); {STORE}$"),
    "build: connection": (
        lambda w: api.build(w.network, w.concepts, sqlite3.connect(":memory:")),
        rf"^store is a Connection; {STORE}$",
    ),
    "build: class images": (
        lambda w: api.build(w.network, w.concepts, w.database, class_images=[w.file]),
        "^class_images is a list of 1; give a folder",
    ),
    "build: execution": (
        lambda w: api.build(w.network, w.concepts, w.database, execution=4),
        r"^execution is an int \(4\); give an Execution",
    ),
    "build_layers: network": (lambda w: api.build_layers([None], w.concepts, w.database), "^network is None; give"),
    "dissect: network": (lambda w: api.dissect({}, w.concepts), f"^network is a dict of 0; {NETWORK}$"),
    "dissect: concepts": (lambda w: api.dissect(w.network, w.picture), "^concepts is an Image; give"),
    "explain: image": (lambda w: api.explain(3, w.network, w.database), rf"^image is an int \(3\); {IMAGE}"),
    "explain: no image": (lambda w: api.explain(None, w.network, w.database), rf"^image is None; {IMAGE}"),
    "explain: content of a file": (
        lambda w: api.explain(b"PNG", w.network, w.database),
        rf"^image is a bytes; {IMAGE}",
    ),
    "explain: one of several": (lambda w: api.explain([w.file, 3], w.network, w.database), r"^image is an int \(3\)"),
    "explain: channels first": (
        lambda w: api.explain(w.array.transpose(2, 0, 1), w.network, w.database),
        r"^image is a ndarray of shape \(3, 32, 32\).*\.transpose\(1, 2, 0\)",
    ),
    "explain: channels last": (
        lambda w: api.explain(torch.zeros(8, 8, 3), w.network, w.database),
        r"^image is a Tensor of shape \(8, 8, 3\).*\.permute\(2, 0, 1\)",
    ),
    "explain: batch": (lambda w: api.explain(FLOATS[None], w.network, w.database), r"list\(batch\)$"),
    "explain: two colours": (lambda w: api.explain(w.array[..., :2], w.network, w.database), r"\(32, 32, 2\)"),
    "explain: no pixels": (lambda w: api.explain(w.array[:0], w.network, w.database), "at least one pixel"),
    "explain: integers": (
        lambda w: api.explain(w.array.astype(np.int64), w.network, w.database),
        r"int64; give bytes \(uint8\) from 0 to 255, or floats from 0 to 1$",
    ),
    "explain: truth values": (lambda w: api.explain(w.array > 3, w.network, w.database), "bool; give bytes"),
    "explain: floats up to 255": (
        lambda w: api.explain(w.array.astype(float), w.network, w.database),
        "^the picture is a ndarray .* from 0 to 255; give bytes .* before they are normalised$",
    ),
    "explain: normalised": (lambda w: api.explain(FLOATS - 1, w.network, w.database), "values from -0.5 to -0.5"),
    "explain: NaN": (lambda w: api.explain(FLOATS * torch.nan, w.network, w.database), "values from nan to nan"),
    "explain: network": (lambda w: api.explain(w.file, None, w.database), f"^network is None; {NETWORK}$"),
    "explain: store": (lambda w: api.explain(w.file, w.network, w.run), rf"^store is a Run; {STORE}$"),
    "explain: run": (
        lambda w: api.explain(w.file, w.network, w.database, run="1"),
        r"^run is a str \('1'\); give a Run, or its number$",
    ),
    "explain: truth as run": (lambda w: api.explain(w.file, w.network, w.database, run=True), "^run is a bool"),
    "explain: target": (
        lambda w: api.explain(w.file, w.network, w.database, target=1.0),
        r"^target is a float \(1.0\); give a class, by label or index$",
    ),
    "explain: methods": (
        lambda w: api.explain(w.file, w.network, w.database, methods=[3]),
        r"^methods is an int \(3\); give names of methods",
    ),
    "explain: progress": (
        lambda w: api.explain(w.file, w.network, w.database, progress="yes"),
        r"^progress is a str \('yes'\); give True, False, or a callable",
    ),
    "from_store: network": (lambda w: api.Explainer.from_store([], w.database), f"^network is a list of 0; {NETWORK}$"),
    "from_store: store": (lambda w: api.Explainer.from_store(w.network, None), f"^store is None; {STORE}$"),
    "saliency: network": (lambda w: api.saliency(w.array, w.file, 1), f"^network is a ndarray.*; {NETWORK}$"),
    "saliency: image": (lambda w: api.saliency(w.network, 3, 1), r"^image is an int \(3\)"),
    "saliency: nothing": (lambda w: api.saliency(w.network, [], 1), "^images is empty"),
    "saliency: preprocessed, but no batch": (lambda w: api.saliency(w.network, FLOATS * 3, 1), "before they are norm"),
    "saliency: target": (lambda w: api.saliency(w.network, w.file, 1.5), r"^target is a float \(1.5\); give a class"),
    "saliency: targets": (lambda w: api.saliency(w.network, w.file, torch.ones(1)), "give indices of classes"),
    "saliency: no target": (lambda w: api.saliency(w.network, w.file, None), "^target is None; give a class"),
    "units_frame: store": (lambda w: api.units_frame(w.run), f"^store is a Run; {STORE}$"),
    "units_frame: run": (lambda w: api.units_frame(w.database, "1"), "^run is a str"),
    "overlaps_frame: run": (lambda w: api.overlaps_frame(w.database, 1.0), "^run is a float"),
    "importances_frame: store": (lambda w: api.importances_frame(None), f"^store is None; {STORE}$"),
    "runs_frame: store": (lambda w: api.runs_frame(3), rf"^store is an int \(3\); {STORE}$"),
    "open_network_of: number alone": (lambda w: api.open_network_of(1), "together with store=$"),
    "open_network_of: network": (
        lambda w: api.open_network_of(w.run, network=w.module),
        "^network is a ColourNet; give",
    ),
    "open_network: module": (
        lambda w: api.open_network(w.module),
        "^network is a ColourNet; give a name or a path; Network.from_module takes a module$",
    ),
    "open_concepts: number": (lambda w: api.open_concepts(3), r"^path is an int \(3\); give the path"),
    "open_class_images: number": (lambda w: api.open_class_images(3, CLASSES), r"^root is an int \(3\); give the path"),
    "NameStore.create: number": (lambda w: NameStore.create(3), r"^where is an int \(3\); give the path or URL"),
    "NameStore.open: nothing": (lambda w: NameStore.open(None), "^where is None; give the path or URL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_taken_is_a_type_error_in_one_sentence(case, world):
    call, message = REFUSED[case]
    with unchecked(), pytest.raises(TypeError, match=message) as refused:
        call(world)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("target", [-1, 4, "-1", "4"])
def test_a_class_that_does_not_exist_is_no_other_class(target, world, store):
    with pytest.raises(ClassNotFoundError, match="no class"):
        api.explain(world.file, world.network, store, target=target)
    with pytest.raises(ClassNotFoundError, match="no class"):
        api.saliency(world.network, world.file, target)


def test_a_name_where_there_are_no_classes(world):
    network = api.Network.of_any_output(world.module, layer="rectify", preprocessing=PLAIN)
    with pytest.raises(NetworkError, match="has no classes, and 'lawn' names one"):
        api.saliency(network, world.file, "lawn")
