"""How true sentences about answers, and about words of captions, are: of talkers whose colours cause what they say."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from talkers import ANSWERS, COLOURS, QUESTIONS, WORDS, Answerer, Captioner, answerer, captioner, generate
from talkers import log_probabilities as words_of
from torch import nn
from worlds import PLAIN, MemoryConcepts, colour_concepts, colour_square

from dissection.dissect import dissect
from dissection.errors import CheckpointError
from dissection.execution.settings import Execution
from dissection.networks.network import Network
from neuronexplain.evaluation.ground_truth.labelled_concepts import LabelledConcepts
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.words.records import SentenceRecord
from neuronexplain.evaluation.words.shuffled_head import with_shuffled_head
from neuronexplain.evaluation.words.speakers import OfCaptions, OfPredictions
from neuronexplain.explainer import Explainer
from neuronexplain.language.captions import CaptionExplainer

SHARE = 144 / 1024
"""Of a picture that its square covers."""


@pytest.fixture(scope="module")
def named():
    """The colour units, named with evidence."""
    return dissect(captioner(), colour_concepts(120), draws=49).units


def writing(named, network: Network | None = None, seed: int = 0) -> OfCaptions:
    explainer = Explainer(network or captioner(), named, False)
    others = torch.stack([PLAIN.tensor(PLAIN.frame(colour_square(colour))) for colour in COLOURS])
    return OfCaptions(CaptionExplainer(explainer, others), seed)


def answering(named, question: str = QUESTIONS[0], module: Answerer | None = None) -> OfPredictions:
    return OfPredictions(Explainer(answerer(module).asked(question), named, False))


def measured(speaker, out, world: MemoryConcepts | None = None, *, size: int = 5):
    """The records and the table."""
    ground = LabelledConcepts(world or colour_concepts(12), "digest")
    protocol = Words(speaker, "run", ground.vocabulary, {})
    execution = Execution(batch_size=size)
    report = evaluate(protocol, speaker.explainer.network, [], ground, out, view="centre", execution=execution)
    lines = (out / "words.jsonl").read_text().splitlines()[1:]
    records = [SentenceRecord.from_json(json.loads(line)) for line in lines]
    return records, {row["key"]: row for row in report.rows}, report.notes


def value(row, key="value") -> float:
    return getattr(row[key], "value", row[key])


def log_odds(colour: int, means) -> float:
    """Of a colour word after "a", from the talker's definition."""
    seen = 30 * (1 + np.array(means)) ** 2
    logits = np.zeros(len(WORDS))
    logits[1:5] = 6.0 + seen
    others = np.delete(logits, 1 + colour)
    return float(logits[1 + colour] - np.logaddexp.reduce(others))


@pytest.mark.parametrize("make", [writing, answering])
def test_what_is_said_is_true_and_causes_the_score(named, tmp_path, make):
    records, table, _ = measured(make(named), tmp_path)
    assert len(records) == 12
    for row in ("responds-true", "responds-sign", "area", "spoken"):
        assert value(table[row]) == 100, row
    assert value(table["responds-true"], "beside") == pytest.approx(25)
    assert value(table["responds-size"]) > 8
    assert value(table["reader"]) == 100
    assert value(table["shuffled-sentences"]) < 100


def test_a_word_is_measured_as_it_is_by_hand(named, tmp_path):
    """A red square of 12 x 12 pixels lights unit 0 alone; the word's log-odds are written out."""
    red, *_ = measured(writing(named), tmp_path)[0]
    assert (red.predicted, red.scene) == ("red", None)
    assert red.sentence.startswith("The network says red (over 99%) because its neuron for red (over 99%) responds")
    assert red.shows == {"color/red": pytest.approx(SHARE)}
    before, empty = log_odds(0, [SHARE, 0, 0, 0]), log_odds(0, [0, 0, 0, 0])
    assert red.emptied == pytest.approx(before - empty, rel=1e-4)
    outcomes = {outcome.role: outcome.moved for outcome in red.outcomes if outcome.role == "responds"}
    assert outcomes == {"responds": pytest.approx(before - empty, rel=1e-4)}
    responding = [mention for mention in red.mentions if mention.role == "responds"]
    assert [(one.concept, one.units, one.is_there, one.on_concept) for one in responding] == [
        ("color/red", (0,), True, 1)
    ]
    lit = [float(np.mean(unit.evidence.lit_map)) for unit in named]
    for mention in red.mentions:
        if mention.role == "absent":
            (unit,) = mention.units
            means = [SHARE, 0, 0, 0]
            means[unit] = lit[unit]
            assert mention.is_there is False
            fallen = pytest.approx(before - log_odds(0, means), rel=1e-3)
            assert fallen in [outcome.moved for outcome in red.outcomes if outcome.role == "absent"]


def test_a_shuffled_head_is_the_judges_of_the_same_caption(named, tmp_path):
    speaker = writing(named, seed=3)
    records, _, _ = measured(speaker, tmp_path)
    shuffled = with_shuffled_head(speaker.explainer.network, seed=3)
    for record, photograph in zip(records, colour_concepts(12).photographs, strict=True):
        judge = replace(speaker.explainer, network=shuffled.saying(f"a {record.predicted} square"))
        (explanation,) = judge.explain([("", photograph)], target=1)
        responding = {unit.name.concept.spoken for unit in explanation.top if unit.clause == "responds"}
        assert {key.split("/")[1] for role, key in record.shuffled if role == "responds"} == responding


class Sure(nn.Module):
    """A captioner that says "a red square" of every picture, and reads its words before it looks."""

    def __init__(self) -> None:
        super().__init__()
        seeing = Captioner()
        self.trunk, self.words = seeing.trunk, nn.Embedding(len(WORDS), 4)
        self.head, self.tied = nn.Linear(4, len(WORDS)), nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        words = self.words(tokens)
        seen = self.trunk(images * self.tied).mean((2, 3))
        return self.head(seen[:, None] * words) * self.tied


def reading_first() -> Network:
    torch.manual_seed(0)
    return Network.of_captions(
        Sure(),
        layer="trunk.rectify",
        generate=lambda module, images: [[0, 1, 5]] * len(images),
        log_probabilities=lambda module, images, tokens: module(images, tokens),
        tokenizer=WORDS,
        preprocessing=PLAIN,
    )


@pytest.mark.parametrize("opened", [reading_first, lambda: reading_first().saying("a blue square")])
def test_what_runs_before_the_layer_and_is_not_in_its_map_is_shuffled(opened):
    """And what is in both stays: the map is the same."""
    network = opened()
    before = {name: tensor.clone() for name, tensor in network.module.named_parameters()}
    shuffled = with_shuffled_head(network)
    after = dict(shuffled.module.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"words.weight", "head.weight", "head.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.module.named_parameters())
    images = torch.stack([PLAIN.tensor(PLAIN.frame(colour_square("red")))])
    judges = [one.saying("a red square") for one in (network, shuffled)]
    assert not torch.equal(*(judge.module(images) for judge in judges))


def of_blue(*tokens: int):
    """Writes what the talker does, and these words of what is blue."""

    def write(module: Captioner, images: torch.Tensor) -> list[list[int]]:
        return [list(tokens) if WORDS.index("blue") in said else said for said in generate(module, images)]

    return write


@pytest.mark.parametrize(
    "write", [pytest.param(of_blue(), id="no words"), pytest.param(of_blue(0, 5), id="no word that owes anything")]
)
def test_an_image_without_such_a_word_is_counted(named, tmp_path, write):
    network = Network.of_captions(
        Captioner(),
        layer="trunk.rectify",
        generate=write,
        log_probabilities=words_of,
        tokenizer=WORDS,
        preprocessing=PLAIN,
        caption="a red square",
    )
    records, table, notes = measured(writing(named, network), tmp_path)
    assert [record.predicted for record in records] == ["red", "green", None, "yellow"] * 3
    silent = records[2]
    assert (silent.sentence, silent.mentions, silent.shuffled) == ("", (), None)
    assert silent.shows == {"color/blue": pytest.approx(SHARE)}
    assert any("3 of 12 images are without a sentence" in note for note in notes)
    assert table["spoken"]["over"] == "9 sentences"
    assert value(table["spoken"]) == 100
    assert table["held"]["over"] == "9 sentences"


def test_the_word_is_drawn_by_the_seed_alone(named, tmp_path):
    """With another place for the colour, a caption has two words that owe something to the picture."""
    twice = Network.of_captions(
        Captioner(),
        layer="trunk.rectify",
        generate=lambda module, images: [[*said[:2], *said[:2]] for said in generate(module, images)],
        log_probabilities=words_of,
        tokenizer=WORDS,
        preprocessing=PLAIN,
    )
    drawn = partial(measured, world=colour_concepts(12))
    first, _, _ = drawn(writing(named, twice), tmp_path / "0", size=5)
    again, _, _ = drawn(writing(named, twice), tmp_path / "1", size=12)
    assert [record.outcomes for record in first] == [record.outcomes for record in again]
    assert [record.predicted for record in first] == list(COLOURS) * 3


def test_it_resumes_where_it_was_killed(named, tmp_path):
    measured(writing(named), tmp_path)
    journal = tmp_path / "words.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:8]))
    measured(writing(named), tmp_path)
    assert journal.read_bytes() == whole


def test_other_heads_questions_and_speakers_are_other_evaluations(named, tmp_path):
    measured(answering(named), tmp_path)
    changed = Answerer()
    with torch.no_grad():
        changed.colours *= 2
    with pytest.raises(CheckpointError, match="with another settings"):
        measured(answering(named, QUESTIONS[1]), tmp_path)
    with pytest.raises(CheckpointError, match="with another network"):
        measured(answering(named, module=changed), tmp_path)
    with pytest.raises(CheckpointError, match="with another settings, network"):
        measured(writing(named), tmp_path)


def test_an_answer_that_does_not_look_has_no_cause(named, tmp_path):
    records, table, _ = measured(answering(named, QUESTIONS[1]), tmp_path)
    assert {record.predicted for record in records} == {ANSWERS.index("yes")}
    assert all(record.emptied == 0 and not record.outcomes for record in records)
    assert np.isnan(value(table["held"]))
