"""What a network gets wrong: on squares whose answers are known, and against the definitions written out."""

import csv
import io
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from two_runs import squares_network, two_runs
from worlds import CLASSES, COLOURS, colour_square

from db import NameStore
from dissection.execution.settings import Execution
from neuronexplain.audit.mistakes.confusions import class_accuracies, confusions, overall_accuracy, told_first
from neuronexplain.audit.mistakes.mistakes import CheckedPhotograph, ConceptPart, Mistake, SpeaksFor, check_photographs
from neuronexplain.audit.mistakes.page import mistakes_page
from neuronexplain.audit.mistakes.wording import headline, said_sides, say_apart, say_prediction, share_lost
from neuronexplain.audit.page import audits_in, read_audit
from neuronexplain.audit.photograph_pass import PhotographPass
from neuronexplain.class_images import open_class_images
from neuronexplain.explainer import Explainer
from neuronexplain.vocabulary import Score

SHOWN = {
    "fire": ["red", "red", "green", "green", "green"],  # three lawns among the fires
    "lawn": ["green", "blue"],
    "lake": ["blue"],
    "sun": ["yellow", "red"],
}
"""The colour of each photograph, by the class whose folder it is in."""


@pytest.fixture(scope="module")
def database(made_once):
    return two_runs(made_once)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder per class, some of whose squares are of another's colour, all of another size or place."""
    root = tmp_path_factory.mktemp("photographs")
    for number, (label, colours) in enumerate(SHOWN.items()):
        (root / label).mkdir()
        for turn, colour in enumerate(colours):
            square = colour_square(colour, at=(3 * turn, 2 * number), side=10 + turn)
            square.save(root / label / f"{turn} {colour}.png")
    return root


@pytest.fixture(scope="module")
def explainer(database):
    network = squares_network()
    with NameStore.open(database) as store:
        run = store.run(1)
        return Explainer.from_store(network, store, run=run), run


@pytest.fixture(scope="module")
def checked(photographs, explainer):
    speaker, run = explainer
    images = open_class_images(photographs, CLASSES)
    return check_photographs(PhotographPass(speaker.network, run, images, Execution(batch_size=3)), speaker)


def scores_without(network, photograph, silent=()):
    """The network's scores with some maps set to 0, by a hook on the whole network."""
    frame = network.preprocessing.tensor(network.preprocessing.frame(photograph))[None]

    def silence(_module, _inputs, output):
        output = output.clone()
        output[:, list(silent)] = 0
        return output

    handle = network.module.get_submodule(network.layer.name).register_forward_hook(silence)
    try:
        with torch.no_grad():
            return network.module(frame)[0].double()
    finally:
        handle.remove()


def mistakes_of(checked):
    return [photograph.mistake for photograph in checked if photograph.mistake]


def open_square(photographs, image):
    return Image.open(photographs / image).convert("RGB")


def test_mistakes_are_found_and_ranked(checked, photographs, explainer):
    expected = {
        f"{label}/{turn} {colour}.png" for label, colours in SHOWN.items() for turn, colour in enumerate(colours)
    }
    assert {photograph.image for photograph in checked} == expected
    for photograph in checked:
        scores = scores_without(explainer[0].network, open_square(photographs, photograph.image))
        order = scores.argsort(descending=True).tolist()
        assert photograph.rank == 1 + order.index(photograph.shown)
        assert CLASSES[photograph.shown] == photograph.image.split("/")[0]
        assert (photograph.mistake is None) == (order[0] == photograph.shown)
    wrong = Counter(
        (photograph.mistake.shown.label, photograph.mistake.said.label) for photograph in checked if photograph.mistake
    )
    assert wrong == {("fire", "lawn"): 3, ("lawn", "lake"): 1, ("sun", "fire"): 1}


def test_what_speaks_for_either_class_is_what_the_definition_says(checked, photographs, explainer):
    network = explainer[0].network
    for mistake in mistakes_of(checked):
        square = open_square(photographs, mistake.image)
        said, shown = mistake.said.index, mistake.shown.index
        before = scores_without(network, square)
        assert mistake.lead == pytest.approx(float(before[said] - before[shown]), abs=1e-5)
        for side, rather, than in ((mistake.for_said, said, shown), (mistake.for_shown, shown, said)):
            silent = [number for part in side.parts for number in part.units]
            if not silent:
                assert (side.loss, side.gain) == (None, None)
                continue
            after = scores_without(network, square, silent)
            lead_lost = float((before[rather] - before[than]) - (after[rather] - after[than]))
            assert side.loss == pytest.approx(lead_lost, abs=1e-5)
            assert side.gain == pytest.approx(float(after[than] - before[than]), abs=1e-5)
        colour = mistake.image.split()[1].removesuffix(".png")
        assert [part.concept for part in mistake.for_said.parts] == [colour]
        assert mistake.for_said.parts[0].truth > 0.9


def test_the_part_in_the_lead_is_the_gradient_times_the_activation(checked, photographs, explainer):
    network = explainer[0].network
    for mistake in mistakes_of(checked):
        square = open_square(photographs, mistake.image)
        frame = network.preprocessing.tensor(network.preprocessing.frame(square))[None]
        detect = torch.relu(network.module.detect(frame)).detach().requires_grad_()
        scores = network.module.head(network.module.square(network.module.pool(detect).flatten(1)))[0]
        (slope,) = torch.autograd.grad(scores[mistake.said.index] - scores[mistake.shown.index], detect)
        effects = (slope * detect).sum((2, 3))[0].tolist()
        assert mistake.responding
        for part in mistake.responding:
            assert part.effect == pytest.approx(sum(effects[number] for number in part.units), rel=1e-4)


def test_the_batch_size_and_a_resumed_pass_change_nothing(checked, photographs, explainer, tmp_path):
    speaker, run = explainer
    images = open_class_images(photographs, CLASSES)
    work = PhotographPass(speaker.network, run, images, Execution(batch_size=4), tmp_path)
    assert check_photographs(work, speaker) == checked
    journal = tmp_path / "mistakes.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:6]) + lines[6][:20])  # killed in the second batch: the first is kept
    assert check_photographs(work, speaker) == checked
    assert journal.read_text() == "".join(lines)


def test_confusions_are_counted_with_what_their_photographs_have_in_common(checked):
    first, *others = confusions(checked)
    assert (first.shown, first.said, len(first.mistakes)) == ("fire", "lawn", 3)
    assert (first.share.value, first.share.images) == (0.6, 5)
    assert [len(confusion.mistakes) for confusion in others] == [1, 1]
    by_name = {concept.concept: concept for concept in first.concepts}
    green = [part.effect for mistake in first.mistakes for part in mistake.responding if part.concept == "green"]
    assert by_name["green"].photographs == 3
    assert by_name["green"].effect.value == pytest.approx(np.mean(green))
    assert by_name["green"].effect.low > 0
    assert first.concepts[0].concept == "green"


def test_accuracy_by_class(checked):
    overall = overall_accuracy(checked)
    assert (overall.top_1.value, overall.top_5.value, overall.top_1.images) == (0.5, 1.0, 10)
    accuracies = {accuracy.label: accuracy.top_1 for accuracy in class_accuracies(checked, CLASSES)}
    assert {label: figure.value for label, figure in accuracies.items()} == {
        "fire": 0.4,
        "lawn": 0.5,
        "lake": 1.0,
        "sun": 0.5,
    }
    assert list(accuracies) == ["fire", "lawn", "sun", "lake"]


def side(*words: str, loss: float | None = None, gain: float | None = None) -> SpeaksFor:
    parts = tuple(ConceptPart(word, "object", False, (number,), 0.61, 1.0) for number, word in enumerate(words))
    return SpeaksFor(parts, loss, gain)


NOTHING = side()


def test_a_formula_among_others_is_in_quotation_marks() -> None:
    cow = side("cow", loss=2.5, gain=0.0)
    formula = replace(cow.parts[0], concept="bed, rug or sofa", is_formula=True)
    assert "for bed, rug or sofa (61%) responds" in say_apart(mistake(replace(cow, parts=(formula,))))
    both = mistake(replace(cow, parts=(formula, *cow.parts)))
    assert "for “bed, rug or sofa” (61%) and cow (61%) respond" in say_apart(both)


def mistake(for_said: SpeaksFor = NOTHING, for_shown: SpeaksFor = NOTHING, *, lead=2.0, rank=2, said=0.6) -> Mistake:
    shown, wrong = Score("wild boar, boar", 0, 0.2, 8.0), Score("bison", 1, said, 8.0 + lead)
    unspoken = "Not spoken of: 10 neurons without a name."
    return Mistake("a.jpg", shown, wrong, rank, (wrong, shown), for_said, for_shown, (), unspoken, "", "")


IN_WORDS = {
    "for": (
        side("cow", loss=2.5, gain=0.0),
        (
            "Its neuron for cow (61%) responds and speaks for bison: without it, bison loses 2.5, and wild boar would "
            "be ahead by 0.50, where bison now is by 2.00."
        ),
    ),
    "against": (
        side("cow", "tree", loss=1.0, gain=0.95),
        (
            "Its neurons for cow (61%) and tree (61%) respond and speak against wild boar: without them, wild boar "
            "gains 0.95, and the lead of bison falls from 2.0 to 1.0."
        ),
    ),
    "for and against": (
        side("cow", loss=1.0, gain=0.4),
        (
            "Its neuron for cow (61%) responds and speaks for bison and against wild boar: without it, bison loses "
            "0.60, wild boar gains 0.40, and the lead of bison falls from 2.0 to 1.0."
        ),
    ),
    "for both": (
        side("cow", loss=0.1, gain=-1.0),
        (
            "Its neuron for cow (61%) responds and speaks a little for both, and more for bison: without it, bison "
            "loses 1.1 and wild boar 1.0, and the lead of bison falls from 2.0 to 1.9."
        ),
    ),
    "against both": (
        side("cow", loss=1.0, gain=1.5),
        (
            "Its neuron for cow (61%) responds and speaks against both, and more against wild boar: without it, wild "
            "boar gains 1.5 and bison 0.50, and the lead of bison falls from 2.0 to 1.0."
        ),
    ),
}


@pytest.mark.parametrize("stance", IN_WORDS)
def test_what_speaks_for_the_wrong_class_in_words(stance):
    for_said, says = IN_WORDS[stance]
    assert say_apart(mistake(for_said)) == says
    assert said_sides(mistake(for_said)) == (True, False)


def test_what_speaks_for_the_right_class_in_words():
    made = mistake(for_shown=side("tusk", loss=1.0, gain=0.0))
    assert say_apart(made) == (
        "Its neuron for tusk (61%) responds and speaks for wild boar: without it, wild boar loses 1.0, and the lead of "
        "bison grows from 2.0 to 3.0."
    )
    assert said_sides(made) == (False, True)


@pytest.mark.parametrize(
    "made", [mistake(), mistake(side("cow", loss=0.01, gain=0.0), side("tusk", loss=-0.5, gain=0.0))]
)
def test_where_nothing_can_be_said_that_is_all_that_is_said(made):
    assert say_apart(made) == "No sure word tells bison from wild boar. Not spoken of: 10 neurons without a name."
    assert said_sides(made) == (False, False)


def test_the_prediction_in_words():
    assert headline(mistake()) == "wild boar, taken for bison"
    assert say_prediction(mistake()) == "The network says bison (60%); wild boar is its second choice (20%)."
    assert say_prediction(mistake(rank=17)).endswith("wild boar is number 17 (20%).")


def test_mistakes_of_which_most_can_be_said_come_first():
    untold, sure = mistake(said=0.3), mistake(said=0.9)
    for_shown = mistake(for_shown=side("tusk", loss=1.0, gain=0.0))
    half, turned = (mistake(side("cow", loss=loss, gain=0.0)) for loss in (1.0, 5.0))
    assert told_first([untold, for_shown, half, sure, turned]) == [turned, half, for_shown, sure, untold]
    assert [share_lost(made) for made in (turned, half, for_shown)] == [2.5, 0.5, 0.0]


def test_a_concept_in_common_counts_0_where_nothing_can_be_said():
    said = [Score("a", 0, 0.1, 1.0), Score("b", 1, 0.9, 3.0)]
    parts = [(ConceptPart("cow", "object", False, (3, 4), 0.7, effect),) for effect in (2.0, 4.0)] + [()]
    photographs = [
        CheckedPhotograph(str(n), 0, 2, Mistake(str(n), said[0], said[1], 2, (), side(), side(), of, "", "", ""))
        for n, of in enumerate(parts)
    ]
    ((common,),) = (confusion.concepts for confusion in confusions(photographs))
    assert (common.photographs, common.effect.value, common.effect.images) == (2, 2.0, 3)
    assert common.effect.low < 0 < common.effect.high


@pytest.fixture(scope="module")
def audited(photographs, database, tmp_path_factory):
    return photographs, database, tmp_path_factory.mktemp("audits") / "squares"


def no_look(*_):
    raise AssertionError("what was looked at is looked at again")


def test_the_command_writes_a_page_and_says_the_same_again(run, audited, monkeypatch):
    photographs, database, out = audited
    words = ("audit", "mistakes", photographs, "--db", database, "--run", 1, "--out", out, "--batch-size", 4)
    status, told, _ = run(*words)
    assert status == 0
    assert told.startswith("Right in 50% (24 to 76%) of 10 photographs.\n")
    assert "fire, taken for lawn  [fire/" in told
    assert told.endswith(f"Page: {out / 'index.html'}\n")
    page = (out / "index.html").read_text()
    assert page.count('<article class="mistake"') == 5
    assert "fire, taken for lawn" in page
    assert "3 photographs, 60% (23 to 88%) of those that show fire" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    note = read_audit(out)
    assert (note.kind, note.title) == ("mistakes", f"What {note.network} gets wrong")
    assert [folder for folder, _ in audits_in(out.parent)] == [out]
    rows = list(csv.DictReader(io.StringIO((out / "mistakes.csv").read_text())))
    values = json.loads((out / "mistakes.json").read_text())
    assert [row["image"] for row in rows] == [made["image"] for made in values["mistakes"]]
    assert float(rows[0]["lead"]) == values["mistakes"][0]["lead"]
    assert next((one["shown"], one["said"]) for one in values["confusions"]) == ("fire", "lawn")
    monkeypatch.setattr("neuronexplain.audit.mistakes.mistakes._observe", no_look)
    assert run(*words)[:2] == (0, told)
    assert (out / "index.html").read_text() == page
    status, limited, _ = run(*words, "--limit", 2)
    assert "3 more mistakes are not shown" in limited


def test_programs_get_json_and_csv(run, audited):
    photographs, database, _ = audited
    words = ("audit", "mistakes", photographs, "--db", database, "--run", 1)
    values = json.loads(run(*words, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv")[1])))
    assert len(values["mistakes"]) == len(rows) == 5
    assert {accuracy["label"] for accuracy in values["classes"]} == set(CLASSES)


def test_a_network_without_mistakes_is_told_so(run, database, tmp_path):
    for label, colour in zip(CLASSES[:2], COLOURS, strict=False):
        (tmp_path / "photos" / label).mkdir(parents=True)
        colour_square(colour).save(tmp_path / "photos" / label / "1.png")
    out = tmp_path / "page"
    status, told, _ = run("audit", "mistakes", tmp_path / "photos", "--db", database, "--run", 1, "--out", out)
    assert status == 0
    assert "There is no mistake." in told
    assert "There is no mistake to explain." in (out / "index.html").read_text()


def test_what_cannot_be_audited_is_refused_in_one_line(run, audited, tmp_path):
    photographs, database, _ = audited
    words = ("--db", database, "--run", 1)
    (tmp_path / "unknown" / "unicorn").mkdir(parents=True)
    colour_square("red").save(tmp_path / "unknown" / "unicorn" / "1.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "index.html").write_text("mine")
    for wrong, reason in (
        ((tmp_path / "nowhere", *words), "is not a folder"),
        ((tmp_path / "empty", *words), "has no folders with images"),
        ((tmp_path / "unknown", *words), "the network has no class 'unicorn'"),
        ((photographs, *words, "--json", "--csv"), "leave one of them out"),
        ((photographs, *words, "--fresh"), "name the folder with --out"),
        ((photographs, *words, "--out", tmp_path / "taken"), "holds a page that is not of an audit"),
    ):
        status, told, errors = run("audit", "mistakes", *wrong)
        assert (status, told, errors.count("\n")) == (2, "", 1), errors
        assert reason in errors
    assert (tmp_path / "taken" / "index.html").read_text() == "mine"


def test_another_audit_is_not_mixed_into_a_folder(run, audited, tmp_path):
    photographs, database, _ = audited
    words = ("audit", "mistakes", photographs, "--db", database, "--run", 1, "--out", tmp_path / "page")
    assert run(*words)[0] == 0
    changed = tmp_path / "changed"
    shutil.copytree(photographs, changed)
    colour_square("blue").save(changed / "fire" / "0 red.png")
    status, _, errors = run(*words[:2], changed, *words[3:])
    assert status == 2
    assert "is of an evaluation with another photographs" in errors
    assert run(*words[:2], changed, *words[3:], "--fresh")[0] == 0


def test_names_of_strangers_are_escaped(tmp_path, explainer, photographs):
    speaker, run = explainer
    root = tmp_path / "photos"
    shutil.copytree(photographs / "fire", root / "fire")
    (root / "fire" / "2 green.png").rename(root / "fire" / "<b>x.png")
    work = PhotographPass(speaker.network, run, open_class_images(root, CLASSES), Execution())
    made = check_photographs(work, speaker)
    page = mistakes_page(made, work, speaker, title="<i>t</i>", facts={}, limit=9)
    assert "&lt;b&gt;x.png" in page
    assert "<b>x" not in page
    assert "&lt;i&gt;t" in page
