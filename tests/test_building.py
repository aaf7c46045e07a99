"""The main job on a world whose answers are known by arithmetic."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from worlds import CLASSES, COLOURS, HEAD, colour_network, colour_square, write_colour_folder

from db import NameStore
from db.errors import RunNotFoundError
from dissection.concepts.plain_layout import PlainLayout
from dissection.dissect import dissect
from dissection.errors import ActivationError, ClassNotFoundError, ConceptDataError, NetworkError
from dissection.execution.settings import Execution
from dissection.networks.opening import open_network
from dissection.vocabulary import Exemplar, Layer, Truth
from neuronexplain.building import build, build_layers
from neuronexplain.class_images import open_class_images
from neuronexplain.class_importance import Importances
from neuronexplain.explainer import Explainer
from neuronexplain.explaining import explain
from neuronexplain.pictures.thumbnails import exemplar_pictures, ringed
from neuronexplain.run_networks import open_network_of
from neuronexplain.vocabulary import Rules


@pytest.fixture
def folder(tmp_path):
    return write_colour_folder(tmp_path / "squares")


@pytest.fixture
def built(tmp_path, folder):
    """The colour network dissected over its squares: store and run."""
    store = NameStore.create(tmp_path / "names.db")
    run = build(colour_network(), _squares(folder), store).run
    yield store, run
    store.close()


def _squares(folder):
    return PlainLayout(folder, label_size=32)


def test_the_sentence_written_out(built):
    store, _ = built
    explanation = explain(colour_square("red"), colour_network(), store)
    assert explanation.sentence == (
        "The network says fire (53%) because its neuron for red (over 99%) responds, and there is no green or blue; "
        "without this neuron its score falls by 0.90 of 1.4. "
        "Not spoken of: 1 neuron that does not respond."
    )
    assert [(unit.unit, unit.lit, unit.name.iou) for unit in explanation.top] == [(0, True, 1.0), (3, False, 1.0)]
    assert [(unit.unit, unit.lit) for unit in explanation.bottom] == [(1, False), (2, False)]


def test_every_number_of_an_explanation(built):
    store, _ = built
    explanation = explain(
        colour_square("yellow"), colour_network(), store, target="lawn", rules=Rules(k=1, among="all")
    )
    mean = 144 / 1024
    alphas = [HEAD[1][unit] * 2 * (1 + (mean if unit == 3 else 0)) / 1024 for unit in range(4)]
    assert explanation.top[0].unit == 1
    assert explanation.top[0].alpha == pytest.approx(alphas[1])
    assert explanation.bottom[0].unit == int(np.argmin(alphas))
    assert explanation.target.label == "lawn"
    assert explanation.prediction.label == "sun"
    logits = [sum(HEAD[c][u] * (1 + (mean if u == 3 else 0)) ** 2 for u in range(4)) for c in range(4)]
    assert explanation.prediction.logit == pytest.approx(logits[3], rel=1e-5)
    assert explanation.prediction.probability == pytest.approx(np.exp(logits[3]) / np.exp(logits).sum(), rel=1e-5)
    assert explanation.heatmap.max() == 0
    heat = explain(colour_square("yellow"), colour_network(), store).heatmap
    assert heat[10, 10] == pytest.approx(HEAD[3][3] * 2 * (1 + mean) / 1024, rel=1e-5)
    assert heat[0, 0] == 0
    assert explanation.masks.keys() == {unit.name.concept.spoken for unit in (*explanation.top, *explanation.bottom)}


def test_class_importances_are_means_over_the_classes_images(built):
    store, run = built
    mean = 144 / 1024
    for index in range(4):
        kept = store.importance(run, index)
        assert kept.images == 10
        expected = [HEAD[index][u] * 2 * (1 + (mean if u == index else 0)) / 1024 for u in range(4)]
        assert kept.alphas.tolist() == pytest.approx(expected, rel=1e-5)
        assert kept.contributions.tolist() == pytest.approx(
            [expected[u] * (mean if u == index else 0) for u in range(4)], rel=1e-5
        )
    strongest = store.concepts_of(run, 0, rank_by="alpha")
    assert [found.concept.spoken for found in strongest] == ["red", "yellow", "blue", "green"]
    assert next(found.label for found in store.classes_for(run, "Yellow")) == "sun"


def test_the_same_run_is_built_once(built, folder):
    store, run = built
    network = colour_network()
    network.module.register_forward_hook(lambda *_: pytest.fail("the network was run again"))
    assert build(network, _squares(folder), store).run == run
    assert not build(network, _squares(folder), store).is_new
    assert build(colour_network(), _squares(folder), store, quantile=0.01).is_new
    assert len(store.runs()) == 2


def test_other_labels_are_not_passed_over(built, folder):
    store, run = built
    unsaid = replace(colour_network(), classes=tuple(f"class {index}" for index in range(4)))
    assert build(unsaid, _squares(folder), store).run == run
    renamed = replace(colour_network(), classes=("fire", "meadow", "lake", "sun"))
    with pytest.raises(NetworkError, match=r"class 1 is 'lawn' there and 'meadow' here; give its labels, or delete it"):
        build(renamed, _squares(folder), store)


class StoppedError(Exception):
    pass


def test_an_unfinished_build_is_gone_on_with_by_the_same_run_alone(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)

    def passes(stops_at=None, **options):
        network, seen = colour_network(), []
        network.module.register_forward_hook(lambda *_: seen.append(1))

        def stop(stage, done, _total):
            if stage == "looking at the photographs" and done == stops_at:
                raise StoppedError

        execution = Execution(batch_size=4, scratch=tmp_path / "unfinished", progress=stop)
        with NameStore.create(tmp_path / "n.db") as store:
            build(network, _squares(folder), store, execution=execution, **options)
        return len(seen)

    with pytest.raises(StoppedError):
        passes(stops_at=20)
    whole = passes(quantile=0.01)
    assert (
        whole == passes(min_images=5) == 10 + 2
    )  # all batches, one that asks about alphas, and one that finds the body
    assert passes() == whole - 4
    assert not (tmp_path / "unfinished").exists()


@pytest.mark.parametrize("at", ["shutil.rmtree", "_remove_empty"])
def test_what_a_build_left_that_was_killed_after_publishing_goes_with_the_next_start(at, folder, tmp_path, monkeypatch):
    execution = Execution(scratch=tmp_path / "unfinished")

    def killed(*_, **__):
        raise StoppedError

    with NameStore.create(tmp_path / "n.db") as store:
        with monkeypatch.context() as patch:
            patch.setattr(f"dissection.execution.scratch.{at}", killed)
            with pytest.raises(StoppedError):
                build(colour_network(), _squares(folder), store, execution=execution)
        assert list((tmp_path / "unfinished").iterdir())
        assert not build(colour_network(), _squares(folder), store, execution=execution).is_new
    assert not (tmp_path / "unfinished").exists()


def test_everything_that_changes_an_answer_is_in_the_key(built, folder, tmp_path):
    store, _ = built
    image = next((folder / "images").iterdir())
    Image.new("RGB", (32, 32), "white").save(image)
    assert build(colour_network(), _squares(folder), store).is_new
    (tmp_path / "classes" / "fire").mkdir(parents=True)
    colour_square("red").save(tmp_path / "classes" / "fire" / "1.png")
    images = open_class_images(tmp_path / "classes", CLASSES)
    assert build(colour_network(), _squares(folder), store, class_images=images).is_new
    assert len({each.key.digest for each in store.runs()}) == 3


def test_draws_are_in_the_key_and_add_evidence_alone(folder, tmp_path):
    with NameStore.create(tmp_path / "n.db") as store:
        runs = [build(colour_network(), _squares(folder), store, draws=draws).run for draws in (0, 9, 199)]
        assert build(colour_network(), _squares(folder), store).run == runs[2]
        plain, few, many = map(store.dissection, runs)
    assert [run.draws for run in runs] == [0, 9, 199]
    assert plain == dissect(colour_network(), _squares(folder))
    for dissection in (few, many):
        units = [
            replace(unit, evidence=None, overlaps=tuple(replace(one, truth=None) for one in unit.overlaps))
            for unit in dissection.units
        ]
        assert replace(dissection, units=tuple(units), draws=0) == plain
        assert all(unit.evidence.kept == 1.0 and unit.best.truth == Truth(10, 10, 30, 0) for unit in dissection.units)


def test_a_layer_s_evidence_is_the_same_whichever_layers_are_built_with_it(folder, tmp_path):
    network = colour_network()
    layers = [network, network.at("detect")]

    def evidence(name, networks):
        with NameStore.create(tmp_path / name) as store:
            builds = build_layers(networks, _squares(folder), store, min_images=1, draws=9)
            return {built.run.layer.name: store.dissection(built.run) for built in builds}

    together = evidence("together.db", layers)
    assert together == evidence("turned.db", layers[::-1])
    assert together == {name: alone for layer in layers for name, alone in evidence(layer.layer.name, [layer]).items()}
    assert all(unit.evidence for dissection in together.values() for unit in dissection.units if unit.overlaps)


@pytest.mark.parametrize("draws", [-1, 1])
def test_draws_from_which_nothing_follows_are_refused(folder, tmp_path, draws):
    with NameStore.create(tmp_path / "n.db") as store, pytest.raises(ValueError, match=f"draws is {draws}; 0 gathers"):
        build(colour_network(), _squares(folder), store, draws=draws)


@pytest.mark.parametrize(
    ("notes", "licence"),
    [
        ({}, ""),
        ({"README.txt": b"squares"}, ""),
        ({"LICENSE": b"CC0\0 \n", "README": b"squares"}, "CC0"),
        ({"COPYING-a.txt": b"\xff free", "licence-b.md": b"BY 4.0"}, "\ufffd free\n\nBY 4.0"),
        ({"LICENCE.txt": b"abcd" * 1000}, "abcd" * 500),
    ],
)
def test_a_run_keeps_the_licence_of_its_concept_data(folder, tmp_path, notes, licence):
    for name, content in notes.items():
        (folder / name).write_bytes(content)
    with NameStore.create(tmp_path / "n.db") as store:
        run = build(colour_network(), _squares(folder), store, draws=0).run
        assert store.run(run.id).licence == run.licence == licence


def test_other_weights_are_refused(built):
    store, _ = built
    network = colour_network()
    with torch.no_grad():
        network.module.detect.weight[0, 0] += 1e-6
    with pytest.raises(RunNotFoundError, match="weights differ"):
        explain(colour_square("red"), network, store)


def test_a_run_that_is_named_is_not_replaced_by_one_that_fits(folder, tmp_path):
    others = colour_network()
    with torch.no_grad():
        others.module.detect.weight[0, 0] += 1e-6
    with NameStore.create(tmp_path / "n.db") as store:
        one, two = (build(network, _squares(folder), store, draws=0).run for network in (colour_network(), others))
        assert Explainer.from_store(others, store).units
        assert Explainer.from_store(others, store, run=two).units
        with pytest.raises(
            RunNotFoundError, match=r"run 1 of .* the weights differ; run 2 is of this network"
        ) as caught:
            Explainer.from_store(others, store, run=one)
        assert "\n" not in str(caught.value)
        store.delete(two)
        with pytest.raises(RunNotFoundError, match=r"has no run of the network .* the weights differ"):
            Explainer.from_store(others, store, run=one)


def test_a_failing_build_leaves_the_store_as_it_was(built, folder):
    store, _ = built
    network = colour_network()
    with torch.no_grad():
        network.module.detect.weight[0] = float("nan")
    with pytest.raises(ActivationError, match="NaN"):
        build(network, _squares(folder), store)
    assert len(store.runs()) == 1


def test_class_images_replace_the_concept_images(folder, tmp_path):
    for name, colours in {"Fire": ["red", "red", "yellow"], "lake": ["blue"]}.items():
        (tmp_path / "classes" / name).mkdir(parents=True)
        for number, colour in enumerate(colours):
            colour_square(colour, at=(number, 2)).save(tmp_path / "classes" / name / f"{number}.png")
    images = open_class_images(tmp_path / "classes", CLASSES)
    with NameStore.create(tmp_path / "names.db") as store:
        run = build(colour_network(), _squares(folder), store, class_images=images).run
        assert store.class_images(run) == {0: 3, 2: 1}
        fire = store.importance(run, 0)
    mean = 144 / 1024
    reds = [1 + mean, 1 + mean, 1]
    assert fire.alphas[0] == pytest.approx(HEAD[0][0] * 2 * np.mean(reds) / 1024, rel=1e-5)


def test_class_images_are_gone_on_with_where_they_stopped(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)
    (tmp_path / "classes" / "fire").mkdir(parents=True)
    for number in range(9):
        colour_square("red", at=(number, 2), side=5 + number).save(tmp_path / "classes" / "fire" / f"{number}.png")
    images, looks = open_class_images(tmp_path / "classes", CLASSES), []

    def importance(name, stops_at=None):
        def stop(stage, done, _total):
            if stage == "looking at the images of each class":
                looks.append(done)
                if done == stops_at:
                    raise StoppedError

        execution = Execution(batch_size=2, scratch=tmp_path / "unfinished", progress=stop)
        with NameStore.create(tmp_path / name) as store:
            run = build(colour_network(), _squares(folder), store, class_images=images, execution=execution).run
            kept = store.importance(run, 0)
        return kept.images, kept.alphas.tolist(), kept.contributions.tolist()

    whole = importance("whole.db")
    looks.clear()
    with pytest.raises(StoppedError):
        importance("n.db", stops_at=6)
    assert importance("n.db") == whole
    assert looks == [2, 4, 6, 6, 8, 9]


def test_class_folders_must_be_classes(tmp_path):
    with pytest.raises(ConceptDataError, match="is not a folder"):
        open_class_images(tmp_path / "none", CLASSES)
    (tmp_path / "classes" / "fyre").mkdir(parents=True)
    with pytest.raises(ConceptDataError, match="no folders with images"):
        open_class_images(tmp_path / "classes", CLASSES)
    colour_square("red").save(tmp_path / "classes" / "fyre" / "1.png")
    with pytest.raises(ClassNotFoundError, match="fire"):
        open_class_images(tmp_path / "classes", CLASSES)


def test_among_named_passes_unnamed_units_over(built):
    store, run = built
    nameless, *others = store.dissection(run).units
    rules = Rules(k=1, among="named", min_iou=1.0)
    explainer = Explainer(
        colour_network(), [replace(nameless, overlaps=()), *others], constant_alpha=False, rules=rules
    )
    (explanation,) = explainer.explain([("red", colour_square("red"))])
    assert [unit.unit for unit in explanation.top] == [3]
    assert [unit.unit for unit in explanation.passed_over] == [0]


def test_ranking_by_contribution_takes_only_what_is_there(built):
    store, _ = built
    explanation = explain(colour_square("red"), colour_network(), store, rules=Rules(rank_by="contribution"))
    assert [unit.unit for unit in explanation.top] == [0]
    assert explanation.bottom == ()


def test_many_images_are_explained_in_order(built):
    store, run = built
    explainer = Explainer.from_store(colour_network(), store, run=run)
    names = list(COLOURS) * 3
    made = list(explainer.explain(((name, colour_square(name)) for name in names), batch_size=5))
    assert [each.image for each in made] == names
    assert [each.prediction.label for each in made] == list(CLASSES) * 3


def test_a_method_that_the_network_cannot_have_is_refused_before_a_photograph_is_read(built):
    store, run = built
    with pytest.raises(NetworkError, match="ColourNet has another head"):
        Explainer.from_store(colour_network(), store, run=run, methods=["cam"])


def test_occlusion_tells_how_far_it_is(built):
    store, run = built
    explainer, told = Explainer.from_store(colour_network(), store, run=run, methods=["occlusion"]), []
    (_,) = explainer.explain([("red", colour_square("red"))], progress=lambda *words: told.append(words))
    assert {(stage, total) for stage, _, total in told} == {("occlusion", 1 + 15**2)}
    assert [done for _, done, _ in told] == [64, 128, 192, 226]


def test_a_run_knows_how_to_make_its_network_again(tmp_path, folder):
    factory = tmp_path / "mine.py"
    factory.write_text("from worlds import colour_net\n")
    network = open_network(
        f"{factory}:colour_net", classes=CLASSES, mean=(0, 0, 0), std=(1, 1, 1), input_size=32, resize=(32, 32)
    )
    with NameStore.create(tmp_path / "names.db") as store:
        run = build(network, _squares(folder), store).run
        again = open_network_of(store.run(run.id))
        assert again.fingerprint == network.fingerprint
        assert (again.layer, again.preprocessing, again.classes) == (
            network.layer,
            network.preprocessing,
            network.classes,
        )
        assert explain(colour_square("blue"), again, store).prediction.label == "lake"


def test_exemplars_have_pictures(built):
    store, run = built
    shown = {exemplar.index for unit in store.dissection(run).units for exemplar in unit.exemplars}
    assert 0 < len(shown) < run.images
    for image in range(run.images):
        assert (store.picture(run, image) or b"")[:2] == (b"\xff\xd8" if image in shown else b"")


def test_each_photograph_is_read_once_for_the_pictures(built, folder):
    store, run = built
    read = []

    class Counted(PlainLayout):
        def photograph(self, index):
            read.append(index)
            return super().photograph(index)

    dissection = store.dissection(run)
    made = exemplar_pictures(dissection, Counted(folder))
    assert sorted(read) == list(made) == sorted({e.index for unit in dissection.units for e in unit.exemplars})
    assert all(store.picture(run, image) == jpeg for image, jpeg in made.items())


def test_a_photograph_that_is_gone_is_said(built, folder):
    store, run = built
    concepts, dissection = _squares(folder), store.dissection(run)
    (folder / "images" / dissection.units[0].exemplars[0].image).unlink()
    with pytest.raises(ConceptDataError, match="no such file"):
        exemplar_pictures(dissection, concepts)


def test_a_ring_is_drawn_where_the_unit_is_most_active():
    grey = io.BytesIO()
    Image.new("RGB", (96, 48), "grey").save(grey, "JPEG")
    layer = Layer("last", 1, 4, 8, "relu")
    ring = Image.open(io.BytesIO(ringed(grey.getvalue(), Exemplar("grey", 0, 1.0, row=1, column=5), layer)))
    assert ring.size == (96, 48)
    changed = np.abs(np.asarray(ring.convert("L"), int) - 128) > 40
    rows, columns = changed.nonzero()
    assert (rows.min() + rows.max()) / 2 == pytest.approx(48 * 1.5 / 4, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(96 * 5.5 / 8, abs=1)
    assert not changed[18, 66]


def test_classes_without_images_have_no_importances():
    assert Importances(CLASSES, [colour_network().layer]).means() == [[]]
