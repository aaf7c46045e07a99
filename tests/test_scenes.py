"""The generated scenes: their labels, their folder, and the network trained on them."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from dissection.concepts.generated import write_scenes
from dissection.errors import OutputError
from dissection.scenes.classifier import INPUT_SIZE, LAYER, MEAN, STD, WEIGHTS, scenes_network
from dissection.scenes.palette import COLORS, SHADES, name_colors, rgb
from dissection.scenes.scene import THINGS, draw_scene, scene_class
from dissection.scenes.words import CATEGORIES, CONCEPTS, PARTS_OF, SCENE_CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.scenes.scene import Scene

MAPS = CATEGORIES[1:]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(3, index) for index in range(360)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes") / "set"
    write_scenes(root, images=24, seed=3)
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_map(path: Path) -> np.ndarray:
    pixels = np.asarray(Image.open(path)).astype(int)
    return pixels[..., 0] + 256 * pixels[..., 1]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def names(category: str, numbers: np.ndarray) -> set[str]:
    found = [CONCEPTS[number - 1] for number in np.unique(numbers) if number]
    assert {concept.category for concept in found} <= {category}
    return {concept.name for concept in found}


def test_the_same_seed_draws_the_same_scene_and_nothing_else_matters(scenes: list[Scene]) -> None:
    again = draw_scene(3, 17)
    assert again.photograph.tobytes() == scenes[17].photograph.tobytes()
    assert again.boxes == scenes[17].boxes
    for category in MAPS:
        np.testing.assert_array_equal(again.labels[category], scenes[17].labels[category])


def test_scenes_differ_by_index_and_by_seed(scenes: list[Scene]) -> None:
    assert len({scene.photograph.tobytes() for scene in scenes}) == len(scenes)
    assert draw_scene(4, 17).photograph.tobytes() != scenes[17].photograph.tobytes()


def test_every_class_appears_equally_often(scenes: list[Scene]) -> None:
    assert Counter(scene.name for scene in scenes) == dict.fromkeys(SCENE_CLASSES, 30)
    assert all(scene.name == scene_class(index) for index, scene in enumerate(scenes))


def test_photographs_and_maps_have_brodens_sizes(scenes: list[Scene]) -> None:
    for scene in scenes[:12]:
        assert (scene.photograph.size, scene.photograph.mode) == ((224, 224), "RGB")
        assert {labels.shape for labels in scene.labels.values()} == {(112, 112)}
        assert tuple(scene.labels) == MAPS


def test_numbers_are_unique_and_in_order() -> None:
    assert [concept.number for concept in CONCEPTS] == list(range(1, len(CONCEPTS) + 1))
    assert len({(concept.category, concept.name) for concept in CONCEPTS}) == len(CONCEPTS)
    assert {concept.category for concept in CONCEPTS} == set(CATEGORIES)


def test_every_concept_is_on_enough_images_to_become_a_name(scenes: list[Scene]) -> None:
    images = Counter(scene.number for scene in scenes)
    for scene in scenes:
        images.update({int(n) for category in MAPS for n in np.unique(scene.labels[category]) if n})
    assert {CONCEPTS[number - 1].category for number in images} == set(CATEGORIES)
    assert {c.name: images[c.number] for c in CONCEPTS if images[c.number] < 10} == {}


def test_every_pixel_belongs_to_an_object_and_parts_lie_in_their_owners(scenes: list[Scene]) -> None:
    for scene in scenes:
        objects, parts = scene.labels["object"], scene.labels["part"]
        assert objects.min() > 0
        for number in np.unique(objects):
            owner = CONCEPTS[number - 1].name
            assert names("part", parts[objects == number]) <= set(PARTS_OF[owner]), owner


def test_every_part_of_every_object_is_seen(scenes: list[Scene]) -> None:
    seen = defaultdict(set)
    for labels in (scene.labels for scene in scenes):
        for number in np.unique(labels["object"]):
            seen[CONCEPTS[number - 1].name] |= names("part", labels["part"][labels["object"] == number])
    assert dict(seen) == {name: set(parts) for name, parts in PARTS_OF.items()}


def test_color_labels_are_what_the_photograph_shows(scenes: list[Scene]) -> None:
    """Where a label's 2x2 pixels are nearly alike, they are named like the label; shifted labels fit worse."""
    first = next(concept.number for concept in CONCEPTS if concept.category == "color")
    for scene in scenes[:24]:
        cells = np.asarray(scene.photograph).reshape(112, 2, 112, 2, 3).transpose(0, 2, 1, 3, 4).reshape(112, 112, 4, 3)
        even = (np.ptp(cells.astype(int), axis=2) <= 4).all(axis=2)
        called, labels = name_colors(cells[:, :, 0]), scene.labels["color"] - first
        agreement = [(called == moved)[even].mean() for moved in (labels, np.roll(labels, 3, axis=1))]
        assert even.sum() > 5000
        assert agreement[0] > max(0.95, agreement[1])


def test_labels_lie_where_the_photograph_shows_them(scenes: list[Scene]) -> None:
    """Snow is bright, and brighter than the pixels under its shifted labels."""
    number = next(c.number for c in CONCEPTS if (c.category, c.name) == ("material", "snow"))
    for scene in scenes[SCENE_CLASSES.index("mountain") :: len(SCENE_CLASSES)]:
        snow = scene.labels["material"] == number
        bright = np.asarray(scene.photograph.convert("L").resize((112, 112), Image.Resampling.BOX)).astype(float)
        contrast = [bright[moved].mean() for moved in (snow, np.roll(snow, 8, axis=0))] if snow.any() else [1.0, 0.0]
        assert contrast[0] > contrast[1]


@pytest.mark.parametrize("color", COLORS)
def test_paints_are_called_by_their_names(color: str) -> None:
    pixels = np.array([[rgb(code) for code in SHADES[color]]], dtype=np.uint8)
    assert {COLORS[index] for index in name_colors(pixels).ravel()} == {color}


def test_boxes_hold_the_things_they_name(scenes: list[Scene]) -> None:
    for scene in scenes[:24]:
        for box in scene.boxes:
            assert 0 <= box.left < box.right <= 112
            assert 0 <= box.top < box.bottom <= 112
            assert box.name in names("object", scene.labels["object"][box.top : box.bottom, box.left : box.right])


@pytest.mark.parametrize("thing", THINGS)
def test_an_extra_thing_changes_its_own_pixels_and_no_others(thing: str) -> None:
    index = SCENE_CLASSES.index("desert")
    plain, extra = draw_scene(1, index), draw_scene(1, index, extra=thing)
    changed = (plain.labels["object"] != extra.labels["object"]) | (
        plain.labels["material"] != extra.labels["material"]
    )
    assert names("object", extra.labels["object"][changed]) == {thing}
    assert extra.boxes[-1].name == thing


def test_the_folder_is_the_same_bytes_again_and_the_start_of_a_larger_one(folder: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "again", images=24, seed=3)
    assert contents(tmp_path / "again") == contents(folder)
    write_scenes(tmp_path / "part", images=12, seed=3)
    part = {name: data for name, data in contents(tmp_path / "part").items() if name.startswith("images")}
    assert part.items() <= contents(folder).items()
    assert {path.name for path in tmp_path.iterdir()} == {"again", "part"}


def test_the_files_say_what_the_maps_show(folder: Path, scenes: list[Scene]) -> None:
    frequency, coverage = Counter[int](), defaultdict[int, float](float)
    index = rows(folder / "index.csv")
    for scene, row in zip(scenes[:24], index, strict=True):
        assert (row["ih"], row["iw"], row["sh"], row["sw"]) == ("224", "224", "112", "112")
        with Image.open(folder / "images" / row["image"]) as photograph:
            assert photograph.tobytes() == scene.photograph.tobytes()
        frequency[int(row["scene"])] += 1
        coverage[int(row["scene"])] += 1
        for category in MAPS:
            labels = read_map(folder / "images" / row[category])
            np.testing.assert_array_equal(labels, scene.labels[category])
            for number in set(labels.ravel().tolist()) - {0}:
                frequency[number] += 1
                coverage[number] += int((labels == number).sum()) / 112**2
    listed = {int(row["number"]): row for row in rows(folder / "label.csv")}
    assert {number: int(row["frequency"]) for number, row in listed.items()} == dict(frequency)
    for number, row in listed.items():
        concept = CONCEPTS[number - 1]
        assert (row["name"], row["category"]) == (concept.name, f"{concept.category}({frequency[number]})")
        assert float(row["coverage"]) == pytest.approx(coverage[number], rel=1e-5)


def test_categories_are_listed_with_their_own_tables(folder: Path) -> None:
    listed = {row["name"]: row for row in rows(folder / "category.csv")}
    assert tuple(listed) == CATEGORIES
    labels = rows(folder / "label.csv")
    for category, row in listed.items():
        own = [label for label in labels if label["category"].startswith(f"{category}(")]
        assert (row["first"], row["last"], row["count"]) == (own[0]["number"], own[-1]["number"], str(len(own)))
        assert int(row["frequency"]) == sum(int(label["frequency"]) for label in own)
        table = rows(folder / f"c_{category}.csv")
        assert [(r["code"], r["number"], r["name"]) for r in table] == [
            (str(code), label["number"], label["name"]) for code, label in enumerate(own, start=1)
        ]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "set", images=5, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        write_scenes(tmp_path, images=1)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def network_input(scenes: list[Scene]) -> torch.Tensor:
    size = (INPUT_SIZE, INPUT_SIZE)
    photographs = [np.asarray(s.photograph.resize(size, Image.Resampling.BILINEAR)) for s in scenes]
    images = torch.from_numpy(np.stack(photographs)).permute(0, 3, 1, 2) / 255
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def test_the_shipped_network_tells_held_out_scenes_apart(scenes: list[Scene]) -> None:
    network = scenes_network()
    with torch.inference_mode():
        logits = torch.cat([network(some) for some in network_input(scenes[:240]).split(60)])
    wanted = torch.tensor([SCENE_CLASSES.index(scene.name) for scene in scenes[:240]])
    assert (logits.argmax(1) == wanted).float().mean() >= 0.97


def test_the_last_rectified_map_is_large_and_its_alphas_depend_on_the_image(scenes: list[Scene]) -> None:
    network = scenes_network()
    assert isinstance(network.get_submodule(LAYER), torch.nn.ReLU)
    cut = int(LAYER.split(".")[1]) + 1
    activation = network.features[:cut](network_input(scenes[:2])).detach().requires_grad_()
    score = network.classifier(network.features[cut:](activation))[:, 0].sum()
    (gradient,) = torch.autograd.grad(score, activation)
    alphas = gradient.mean((2, 3))
    assert tuple(activation.shape) == (2, 96, 14, 14)
    assert (alphas[0] - alphas[1]).abs().max() > 0.1 * alphas.abs().max() > 0


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
