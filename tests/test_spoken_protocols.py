"""Captions and answers, measured on squares whose colours are described and asked about: against slow loops."""

import json
import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from spoken_worlds import (
    TABLE,
    DescribedSquares,
    pixels,
    slow_caption_score,
    slow_grad_cam,
    slow_hit,
    slow_log_odds,
    slow_share,
)
from talkers import ANSWERS, Captioner, answerer, captioner
from test_measures import slow_rank_correlation
from worlds import colour_network

from dissection.errors import CheckpointError, ConceptDataError, NetworkError, NeuronExplainError
from dissection.execution.settings import Execution
from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage
from neuronexplain.evaluation.protocols import (
    AnswerAccuracy,
    AnswerAttention,
    AnswerOcclusion,
    AnswerPointing,
    CaptionAccuracy,
    CaptionDebts,
    CaptionPointing,
    CaptionRatio,
)
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.methods import METHODS

GRAD_CAM, GUIDED = METHODS["grad-cam"], METHODS["guided-backprop"]
REFERENCE = {"words": TABLE, "captions": "reference"}


@dataclass(frozen=True)
class Gazed(DescribedSquares):
    """People looked at the square, or at the light."""

    def annotated(self, index: int) -> AnnotatedImage:
        annotated = super().annotated(index)
        people = tuple(annotated.places[name].mask * 200.0 for name in ("square", "light"))
        return replace(annotated, questions=tuple(replace(asked, gazes=people) for asked in annotated.questions))


def records(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def rows(report, key="method"):
    return {row[key]: row for row in report.rows}


def test_words_point_as_slow_loops_say(tmp_path):
    """Every row of every word of a caption, written out from Eq. 1 and 2 and Sec. 8.1.1."""
    ground, module = DescribedSquares(3), Captioner().double()
    evaluate(CaptionPointing(**REFERENCE), captioner(), [GRAD_CAM, GUIDED], ground, tmp_path)
    for index, record in enumerate(records(tmp_path / "caption-pointing.jsonl")):
        image = ground.annotated(index)
        words = image.captions[0].split()

        def word_map(of, place, words=words):
            return slow_grad_cam(module, pixels(of).double(), lambda x: slow_log_odds(module, x, words)[0, place])

        telling = [place for place, word in enumerate(words) if word in image.places]
        assert [trial["text"] for trial in record["trials"]] == [words[place] for place in telling]
        for place, trial in zip(telling, record["trials"], strict=True):
            mask = image.places[words[place]].mask
            elsewhere = [rival for rival in telling if image.places[words[rival]].mask.sum() != mask.sum()]
            others = [ground.annotated(other) for other in range(3) if other != index]
            expected = {
                "grad-cam": [word_map(image, place)],
                "rival": [word_map(image, rival) for rival in elsewhere],
                "beside": [word_map(other, place) for other in others],
                "caption": [slow_grad_cam(module, pixels(image).double(), slow_caption_score(module, words))],
                "activation": [module.trunk(pixels(image).double()).mean(1)[0].detach().numpy()],
            }
            for name, maps in expected.items():
                hits, shares = ([measure(values, mask) for values in maps] for measure in (slow_hit, slow_share))
                found = trial["outcomes"][name]
                assert found == pytest.approx([np.mean(hits), np.mean(shares)], abs=1e-4), (words[place], name)
            assert trial["outcomes"]["area"] == [mask.mean()] * 2
            assert trial["outcomes"]["centre"][0] == mask[16, 16]
            assert trial["kind"] == TABLE.kinds[words[place]]


def test_what_words_point_at_in_a_known_world(tmp_path):
    report = evaluate(CaptionPointing(**REFERENCE), captioner(), [GRAD_CAM, GUIDED], DescribedSquares(), tmp_path)
    found = rows(report)
    for method in ("Grad-CAM", "Guided Backpropagation"):
        assert found[method]["hits, colour"].value > found["(at random)"]["hits, colour"].high
        assert found[method]["hits, thing"].value == 0  # "square" is said whatever the picture: its maps are flat
        assert found[method]["flat"] == 16
    assert found["Grad-CAM"]["hits, colour"].value > found["(Grad-CAM of another word)"]["hits, colour"].value
    assert found["Grad-CAM"]["trials"] == 32
    assert found["Grad-CAM"]["images"] == 8


def test_the_networks_own_captions_are_explained(tmp_path):
    evaluate(CaptionPointing(TABLE), captioner(), [GRAD_CAM], DescribedSquares(4), tmp_path)
    texts = [[trial["text"] for trial in record["trials"]] for record in records(tmp_path / "caption-pointing.jsonl")]
    assert texts == [[DescribedSquares().colours(index)[0], "square"] for index in range(4)]


def test_where_no_other_word_means_anything_the_rest_of_the_caption_is_the_control(tmp_path):
    table = WordTable({("red",): "red"})
    evaluate(CaptionPointing(table, "reference"), captioner(), [GRAD_CAM], DescribedSquares(1 + 1), tmp_path)
    trial = records(tmp_path / "caption-pointing.jsonl")[0]["trials"][0]
    image = DescribedSquares().annotated(0)
    words, module = image.captions[0].split(), Captioner().double()
    maps = [
        slow_grad_cam(module, pixels(image).double(), lambda x, place=place: slow_log_odds(module, x, words)[0, place])
        for place, word in enumerate(words)
        if word != "red"
    ]
    mask = image.places["red"].mask
    assert trial["outcomes"]["rival"] == pytest.approx(
        [np.mean([slow_hit(values, mask) for values in maps]), np.mean([slow_share(values, mask) for values in maps])],
        abs=1e-4,
    )


def test_ratios_are_those_of_slow_loops(tmp_path):
    """ "A red square" is one description: of the sum of the log-probabilities of both words."""
    ground, module = DescribedSquares(4), Captioner().double()
    absolute = METHODS["grad-cam-absolute"]  # whose maps are not 0 outside
    report = evaluate(CaptionRatio(**REFERENCE), captioner(), [GRAD_CAM, absolute], ground, tmp_path)
    ratios = []
    for index, record in enumerate(records(tmp_path / "caption-ratio.jsonl")):
        image = ground.annotated(index)
        words = image.captions[0].split()
        for places, description in zip(((1, 2), (5, 6)), record["descriptions"], strict=True):
            values = slow_grad_cam(
                module,
                pixels(image).double(),
                lambda x, words=words, places=places: torch.nn.functional.logsigmoid(
                    slow_log_odds(module, x, words)[0, list(places)]
                ).sum(),
                size=abs,
            )
            mask = image.places[words[places[0]]].mask
            inside = sum(values[mask].tolist()) / int(mask.sum())
            outside = sum(values[~mask].tolist()) / int((~mask).sum())
            assert description[absolute.name] == pytest.approx((inside, outside), rel=1e-3, abs=1e-6)
            assert description["grad-cam"][1] == 0
            ratios.append(inside / outside)
    found, endless = rows(report)[absolute.title], rows(report)["Grad-CAM"]
    assert (found["endless"], endless["endless"]) == (0, 8)
    assert endless["median"].value == math.inf
    assert math.isnan(endless["mean"].value)
    assert not re.search(r"[:\"] *-?(inf|nan)", (tmp_path / "caption-ratio.html").read_text())
    assert found["mean"].value == pytest.approx(np.mean(ratios), rel=1e-3)
    assert found["median"].value == pytest.approx(sorted(ratios)[(len(ratios) + 1) // 2 - 1], rel=1e-3)
    assert rows(report)["(the whole picture)"]["mean"] == 1


def test_flat_maps_have_a_ratio_of_one(tmp_path):
    table = WordTable({("light",): "light"})
    found = rows(evaluate(CaptionRatio(table, "reference"), captioner(), [GRAD_CAM], DescribedSquares(), tmp_path))
    assert found["Grad-CAM"]["flat"] == 8
    assert found["Grad-CAM"]["mean"].value == found["Grad-CAM"]["median"].value == 1


def test_a_box_around_everything_is_no_description(tmp_path):
    @dataclass(frozen=True)
    class Filled(DescribedSquares):
        def annotated(self, index):
            annotated = super().annotated(index)
            everywhere = replace(annotated.places["light"], boxes=np.array([[0.0, 0, 1, 1]]))
            return replace(annotated, places=dict(annotated.places) | {"light": everywhere})

    report = evaluate(
        CaptionRatio(WordTable({("light",): "light"}), "reference"), captioner(), [GRAD_CAM], Filled(), tmp_path
    )
    assert rows(report)["Grad-CAM"]["descriptions"] == 0
    assert math.isnan(rows(report)["Grad-CAM"]["mean"].value)


def test_debts_and_perplexities_are_those_of_slow_loops(tmp_path):
    ground, module = DescribedSquares(4), Captioner().double()
    report = evaluate(CaptionDebts(TABLE, others=3), captioner(), [], ground, tmp_path)
    logs: dict[str, list[float]] = {}
    beside: dict[str, list[float]] = {}
    debts: dict[str, list[float]] = {}
    for index in range(4):
        words = ground.annotated(index).captions[0].split()
        odds = [slow_log_odds(module, pixels(ground.annotated(picture)), words)[0].tolist() for picture in range(4)]
        for place, word in enumerate(words):
            of_pictures = [-math.log1p(math.exp(-of_picture[place])) for of_picture in odds]
            own = of_pictures.pop(index)
            logs.setdefault(TABLE.kinds[word], []).append(own)
            beside.setdefault(TABLE.kinds[word], []).extend(of_pictures)
            debts.setdefault(TABLE.kinds[word], []).append(own - sum(of_pictures) / 3)
    for kind, row in rows(report, "kind").items():
        if kind == "all words":
            continue
        with_it, without = np.mean(logs[kind]), np.mean(beside[kind])
        assert row["perplexity"].value == pytest.approx(math.exp(-with_it), rel=1e-4)
        assert row["beside"].value == pytest.approx(math.exp(-without), rel=1e-4)
        assert row["ratio"].value == pytest.approx(math.exp(with_it - without), rel=1e-4)
        assert row["debt"].value == pytest.approx(with_it - without, abs=1e-4)
        ascending = sorted(debts[kind])
        for column, tenths in (("low", 1), ("median", 5), ("high", 9)):
            position = math.ceil(len(ascending) * tenths / 10) - 1
            assert row[column].value == pytest.approx(ascending[position], abs=1e-4)
    assert rows(report, "kind")["function"]["none"].value == 100


def test_the_interval_of_a_debt_is_that_of_the_explanations(tmp_path):
    """A word is owed where the interval over other pictures is above the limit, as ``explain --words`` has it."""
    ground, module = DescribedSquares(4), Captioner().double()
    evaluate(CaptionDebts(TABLE, others=3), captioner(), [], ground, tmp_path)
    for index, record in enumerate(records(tmp_path / "caption-debts.jsonl")):
        words = ground.annotated(index).captions[0].split()
        odds = [slow_log_odds(module, pixels(ground.annotated(picture)), words)[0].tolist() for picture in range(4)]
        for place, word in enumerate(record["words"]):
            logs = [-math.log1p(math.exp(-odds[picture][place])) for picture in range(4)]
            others = [log for picture, log in enumerate(logs) if picture != index]
            half = 1.96 * np.std(others, ddof=1) / math.sqrt(3)
            assert word["owed"] == (logs[index] - np.mean(others) - half > 1)
            assert word["none"] == (logs[index] - np.mean(others) + half <= 1)


def test_words_are_compared_with_those_in_the_same_place_of_the_reference(tmp_path):
    """The network says "a red square" where "a red square of a blue light" is right: the rest is missing, and wrong."""
    found = rows(evaluate(CaptionAccuracy(TABLE), captioner(), [], DescribedSquares(), tmp_path), "kind")
    assert found["colour"]["right"].value == found["thing"]["right"].value == 50
    assert found["function"]["right"].value == pytest.approx(100 / 3)
    assert found["all"]["right"].value == pytest.approx(100 * 3 / 7)
    first_colours = [DescribedSquares().colours(index)[0] for index in range(8)]
    same = [sum(other == own for other in first_colours) - 1 for own in first_colours]
    assert found["colour"]["beside"].value == pytest.approx(100 * sum(same) / 7 / 16)
    assert found["thing"]["guessed"].value == 100  # it is always a square of a light
    assert found["thing"]["lead"].value == -50


def test_answers_beside_those_of_other_pictures(tmp_path):
    ground = DescribedSquares()
    report = evaluate(AnswerAccuracy(others=7), answerer(), [], ground, tmp_path)
    found = rows(report, "kind")
    assert found["colour"]["right"].value == 100
    assert found["colour"]["beside"].value == pytest.approx(100 / 7)  # one of the seven others is of the same colour
    assert found["presence"]["right"].value == found["presence"]["beside"].value == pytest.approx(100 * 5 / 8)
    assert found["all"]["count"] == 16
    answers = {
        question["said"] for record in records(tmp_path / "answer-accuracy.jsonl") for question in record["questions"]
    }
    assert answers <= set(ANSWERS)


def test_what_can_be_guessed_from_the_setting_is_no_merit(tmp_path):
    """All even squares are on land: with two colours there are two answers on land and two at sea."""
    found = rows(evaluate(AnswerAccuracy(), answerer(), [], DescribedSquares(64), tmp_path), "kind")["colour"]
    assert found["guessed"].value < 45
    assert found["setting"].value > found["guessed"].value
    assert found["lead"].value == pytest.approx(100 - found["guessed"].value)


def test_answers_point_at_what_the_question_is_about(tmp_path):
    ground = DescribedSquares()
    found = rows(evaluate(AnswerPointing(), answerer(), [GRAD_CAM, GUIDED], ground, tmp_path))
    assert found["Grad-CAM"]["hits, colour"].value == 100
    assert found["Grad-CAM"]["hits, presence"].value == 0
    assert found["Grad-CAM"]["flat"] == 8
    assert found["(Grad-CAM of another question)"]["hits, colour"].value == 0
    module = answerer().language.module.double()
    for index, record in enumerate(records(tmp_path / "answer-pointing.jsonl")):
        image = ground.annotated(index)
        answer = ANSWERS.index(image.questions[0].answer)
        values = slow_grad_cam(module, pixels(image).double(), lambda x, a=answer: module(x, torch.ones(1, 1))[0, a])
        trial = record["trials"][0]
        mask = image.places["square"].mask
        assert trial["outcomes"]["grad-cam"] == pytest.approx(
            [slow_hit(values, mask), slow_share(values, mask)], abs=1e-4
        )
        rival = record["trials"][1]["outcomes"]["rival"]
        light = image.places["light"].mask
        assert rival == pytest.approx([slow_hit(values, light), slow_share(values, light)], abs=1e-4)


def test_a_question_about_nothing_that_is_there_is_no_trial(tmp_path):
    @dataclass(frozen=True)
    class Elsewhere(DescribedSquares):
        def annotated(self, index):
            annotated = super().annotated(index)
            first, second = annotated.questions
            return replace(annotated, questions=(replace(first, about=None), replace(second, about="boat")))

    report = evaluate(AnswerPointing(), answerer(), [GRAD_CAM], Elsewhere(), tmp_path)
    assert rows(report)["Grad-CAM"]["trials"] == 0


def test_the_correlation_with_occlusion_is_that_of_slow_loops(tmp_path):
    ground, module = DescribedSquares(2), answerer().language.module.double()
    report = evaluate(AnswerOcclusion(0.25, 0.25), answerer(), [GRAD_CAM], ground, tmp_path)
    for index, record in enumerate(records(tmp_path / "answer-occlusion.jsonl")):
        image = pixels(ground.annotated(index)).double()
        answer = ANSWERS.index(ground.annotated(index).questions[0].answer)
        values = slow_grad_cam(module, image, lambda x, a=answer: module(x, torch.ones(1, 1))[0, a])
        falls, means = [], []
        for top in range(0, 32, 8):
            for left in range(0, 32, 8):
                covered = image.clone()
                covered[:, :, top : top + 8, left : left + 8] = 0
                score = lambda x, a=answer: float(module(x, torch.ones(1, 1))[0, a].detach())  # noqa: E731
                falls.append(round(score(image) - score(covered), 3))
                means.append(round(float(values[top : top + 8, left : left + 8].mean()), 6))
        assert record["questions"][0]["correlations"]["grad-cam"] == pytest.approx(
            slow_rank_correlation(means, falls), abs=0.02
        )
        assert record["questions"][1]["correlations"]["grad-cam"] == 0
        assert record["questions"][1]["flat"] == ["grad-cam"]
    assert rows(report)["Grad-CAM"]["questions"] == 4


def test_the_correlation_with_where_people_look_is_that_of_das_et_al(tmp_path):
    """Both maps on 14 x 14 cells, ranked, Spearman: one person looks at the square, one at the light."""
    ground, module = Gazed(2), answerer().language.module.double()
    report = evaluate(AnswerAttention(), answerer(), [GRAD_CAM], ground, tmp_path)
    for index, record in enumerate(records(tmp_path / "answer-attention.jsonl")):
        annotated = ground.annotated(index)
        image = pixels(annotated).double()
        answer = ANSWERS.index(annotated.questions[0].answer)
        values = slow_grad_cam(module, image, lambda x, a=answer: module(x, torch.ones(1, 1))[0, a])
        of_people = [slow_rank_correlation(slow_grid(values), slow_grid(gaze)) for gaze in annotated.questions[0].gazes]
        found = record["questions"][0]["correlations"]
        assert found["grad-cam"] == pytest.approx(np.mean(of_people), abs=0.01)
        between = slow_rank_correlation(*map(slow_grid, annotated.questions[0].gazes))
        assert found["person"] == pytest.approx(between, abs=1e-6)
    found = rows(report)
    assert abs(found["(random maps)"]["correlation"].value) < 0.2
    assert found["(another person)"]["questions"] == 4


def slow_grid(values: np.ndarray) -> list[float]:
    """Means of 14 x 14 cells of 32 x 32 pixels, each pixel by the part of it that is in the cell."""

    def parts(cell: int) -> dict[int, float]:
        start, stop = cell * 32 / 14, (cell + 1) * 32 / 14
        return {pixel: min(stop, pixel + 1) - max(start, pixel) for pixel in range(int(start), math.ceil(stop - 1e-9))}

    values = values / np.abs(values).max()
    return [
        round(
            sum(values[y, x] * height * width for y, height in parts(row).items() for x, width in parts(column).items())
            / (32 / 14) ** 2,
            6,
        )
        for row in range(14)
        for column in range(14)
    ]


def test_people_look_at_the_part_of_the_photograph_that_the_network_sees(tmp_path):
    """With --view centre, the borders of a wide photograph are cut off, and so are those of where people looked."""

    @dataclass(frozen=True)
    class Wide(Gazed):
        def annotated(self, index):
            annotated = super().annotated(index)
            wide = Image.new("RGB", (64, 32))
            wide.paste(annotated.photograph, (16, 0))
            gazes = tuple(
                np.pad(gaze, ((0, 0), (16, 16)), constant_values=255.0) for gaze in annotated.questions[0].gazes
            )
            return replace(
                annotated,
                photograph=wide,
                places={},
                questions=tuple(replace(asked, gazes=gazes) for asked in annotated.questions),
            )

    network = answerer()
    network = replace(network, preprocessing=replace(network.preprocessing, resize=32))
    evaluate(AnswerAttention(), network, [GRAD_CAM], Wide(2), tmp_path / "wide", view="centre")
    evaluate(AnswerAttention(), network, [GRAD_CAM], Gazed(2), tmp_path / "square", view="centre")
    wide, square = (
        [
            [question["correlations"]["grad-cam"] for question in record["questions"]]
            for record in records(tmp_path / kind / "answer-attention.jsonl")
        ]
        for kind in ("wide", "square")
    )
    assert wide == square


PROTOCOLS = [
    (CaptionPointing(**REFERENCE), captioner, [GRAD_CAM]),
    (CaptionPointing(TABLE), captioner, [GRAD_CAM]),
    (CaptionRatio(**REFERENCE), captioner, [GRAD_CAM]),
    (CaptionDebts(TABLE), captioner, []),
    (CaptionAccuracy(TABLE), captioner, []),
    (AnswerAccuracy(), answerer, []),
    (AnswerOcclusion(0.5, 0.5), answerer, [GRAD_CAM]),
    (AnswerPointing(), answerer, [GRAD_CAM]),
    (AnswerAttention(), answerer, [GRAD_CAM]),
]


@pytest.mark.parametrize(("protocol", "make", "methods"), PROTOCOLS)
def test_an_evaluation_that_was_killed_is_resumed(tmp_path, protocol, make, methods):
    network, execution = make(), Execution(batch_size=3)
    whole = evaluate(protocol, network, methods, Gazed(), tmp_path / "whole", execution=execution)
    path = tmp_path / "whole" / f"{protocol.name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / path.name).write_bytes(b"".join(lines[:6]) + lines[6][:5])
    read = []

    @dataclass(frozen=True)
    class Read(Gazed):
        def annotated(self, index):
            read.append(index)
            return super().annotated(index)

    again = evaluate(protocol, network, methods, Read(), tmp_path / "cut", execution=execution)
    assert (tmp_path / "cut" / path.name).read_bytes() == path.read_bytes()
    assert repr(again) == repr(whole)
    assert {3, 4, 5, 6, 7} <= set(read)
    if not protocol.comparisons:
        assert set(read) == {3, 4, 5, 6, 7}


def test_another_captioner_with_the_same_trunk_does_not_resume(tmp_path):
    """Names of units belong to the trunk, and so does the fingerprint of a captioner; a measurement does not."""
    other = Captioner()
    with torch.no_grad():
        other.habits += 0.1
    one, two = captioner(), captioner(other)
    assert one.fingerprint == two.fingerprint
    evaluate(CaptionDebts(TABLE), one, [], DescribedSquares(), tmp_path)
    with pytest.raises(CheckpointError, match="another network"):
        evaluate(CaptionDebts(TABLE), two, [], DescribedSquares(), tmp_path)


def test_another_table_of_words_does_not_resume(tmp_path):
    evaluate(CaptionPointing(TABLE), captioner(), [GRAD_CAM], DescribedSquares(), tmp_path)
    with pytest.raises(CheckpointError, match="another settings"):
        evaluate(CaptionPointing(WordTable({("red",): "red"})), captioner(), [GRAD_CAM], DescribedSquares(), tmp_path)


@pytest.mark.parametrize(("protocol", "make", "methods"), PROTOCOLS)
def test_what_cannot_be_measured_is_refused(tmp_path, protocol, make, methods):
    wrong = answerer if make is captioner else captioner
    for network in (wrong(), colour_network()):
        with pytest.raises(NetworkError, match="writes no captions" if make is captioner else "answers no questions"):
            evaluate(protocol, network, methods, Gazed(), tmp_path)
    with pytest.raises(NeuronExplainError, match="one crop"):
        evaluate(protocol, make(), methods, Gazed(), tmp_path, view="ten")
    if protocol.comparisons:
        with pytest.raises(ConceptDataError, match="use at least two"):
            evaluate(protocol, make(), methods, Gazed(1), tmp_path)
    if methods:
        with pytest.raises(NeuronExplainError, match="name at least one"):
            evaluate(protocol, make(), [], Gazed(), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_captions_that_are_not_built_alike_are_not_compared_word_by_word():
    with pytest.raises(ConceptDataError, match="described scenes"):
        CaptionAccuracy(WordTable.of_coco())


def test_boxes_alone_are_no_masks(tmp_path):
    @dataclass(frozen=True)
    class Boxed(DescribedSquares):
        def annotated(self, index):
            annotated = super().annotated(index)
            return replace(annotated, places={name: replace(at, mask=None) for name, at in annotated.places.items()})

    with pytest.raises(ConceptDataError, match="needs masks"):
        evaluate(CaptionPointing(TABLE), captioner(), [GRAD_CAM], Boxed(), tmp_path)
    evaluate(CaptionRatio(TABLE), captioner(), [GRAD_CAM], Boxed(), tmp_path)


def test_captions_with_a_word_that_the_network_does_not_know_are_left_out_and_counted(tmp_path):
    @dataclass(frozen=True)
    class Worded(DescribedSquares):
        def annotated(self, index):
            annotated = super().annotated(index)
            return replace(annotated, captions=(*annotated.captions, "a zebra"))

    for protocol in (CaptionPointing(**REFERENCE), CaptionRatio(**REFERENCE), CaptionDebts(TABLE)):
        report = evaluate(protocol, captioner(), [GRAD_CAM], Worded(), tmp_path)
        assert "left out: 8 captions with a word that the network does not know" in report.notes
