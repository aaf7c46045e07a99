"""Networks that write their answers: asked a question, they are captioners; questions share the names of neurons."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from talkers import QUESTIONS, SURE, WORDS, AnswerWriter, answer_writer, captioner, write_answers
from worlds import PLAIN, colour_square, write_colour_folder

from dissection.errors import NetworkError
from dissection.networks.language import Vocabulary
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from neuronexplain import build, explain_caption
from neuronexplain.methods import saliency

TALKERS = Path(__file__).with_name("talkers.py")
WRITER = f"{TALKERS}:answer_writer"
COLOUR, OTHER = QUESTIONS


def pixels(*colours: str) -> torch.Tensor:
    return torch.stack([PLAIN.tensor(PLAIN.frame(colour_square(colour))) for colour in colours])


class TestAsked:
    def test_its_answers_are_captions(self):
        network = answer_writer().asked(COLOUR)
        assert network.captions(pixels("red", "blue")) == ["red light", "blue light"]
        assert network.asked(OTHER).captions(pixels("red", "blue")) == ["a red square", "a blue square"]
        assert network.prompt == COLOUR

    def test_the_score_of_a_word_is_its_log_odds_after_the_question(self):
        judge = answer_writer().asked(COLOUR).saying("blue light")
        assert judge.classes == ("blue", "light")
        logs = AnswerWriter().answer_logits(pixels("red"), COLOUR, torch.tensor([3, 7]))
        logs = logs.detach().double().log_softmax(-1)
        scores = judge.module(pixels("red")).detach()
        for place, token in enumerate((3, 7)):
            p = math.exp(logs[0, place, token])
            assert float(scores[0, place]) == pytest.approx(math.log(p / (1 - p)), abs=1e-4)

    def test_a_words_map_is_hand_written_grad_cam(self):
        module = AnswerWriter()
        maps = module.trunk(pixels("red")).detach().requires_grad_()
        logits = torch.nn.functional.pad((1 + maps.mean((2, 3))) ** 2 @ module.colours, (1, len(WORDS) - 5))[0]
        odds = logits[1] - torch.cat([logits[:1], logits[2:]]).logsumexp(0)
        (slope,) = torch.autograd.grad(odds, maps)
        expected = (slope.mean((2, 3), keepdim=True) * maps).sum(1).relu().detach()
        found = torch.as_tensor(saliency(answer_writer().asked(COLOUR).saying("red light"), pixels("red"), "red"))
        assert torch.allclose(found.reshape(expected.shape), expected, rtol=0, atol=1e-6 * float(expected.max()))

    def test_questions_share_the_names_of_neurons(self):
        network = answer_writer()
        asked = [network.asked(question) for question in QUESTIONS]
        judges = [asked[0].saying("red"), asked[1].saying("a square of light")]
        everyone = [network, captioner(), *asked, *judges]
        assert len({one.body_fingerprint for one in everyone}) == 1

    def test_a_copy_is_asked_as_well(self):
        network = copy.deepcopy(answer_writer()).asked(COLOUR)
        with torch.no_grad():
            network.module.get_parameter("colours").neg_()
        assert network.captions(pixels("red")) != ["red light"]
        assert answer_writer().asked(COLOUR).captions(pixels("red")) == ["red light"]

    def test_without_a_question_there_is_nothing_to_write(self):
        network = answer_writer()
        for write in (network.captions, lambda images: network.rivals(images, "red")):
            with pytest.raises(NetworkError, match="AnswerWriter writes answers to questions; ask it one: --question"):
                write(pixels("red"))
        with pytest.raises(NetworkError, match="ask it one"):
            network.saying("red")
        for question in ("", "  "):
            with pytest.raises(NetworkError, match="has no words"):
                network.asked(question)

    def test_what_is_not_understood_is_said_when_it_is_asked(self):
        def refusing(module, images, question, tokens):
            if "whose" in question:
                raise NetworkError("it does not know 'whose'")
            return module.answer_logits(images, question, tokens)

        network = Network.of_written_answers(
            AnswerWriter(),
            layer="trunk.rectify",
            generate=write_answers,
            log_probabilities=refusing,
            tokenizer=WORDS,
            question=COLOUR,
            answer="red",
            preprocessing=PLAIN,
        )
        assert network.asked(OTHER).prompt == OTHER
        with pytest.raises(NetworkError, match="does not know 'whose'"):
            network.asked("whose is it ?")

    def test_a_network_that_writes_nothing_of_noise_needs_an_answer(self):
        def silent(_module, images, _question):
            return [[]] * len(images)

        with pytest.raises(NetworkError, match=r"writes nothing of an image of noise; give any answer .* with answer="):
            Network.of_written_answers(
                AnswerWriter(),
                layer="trunk.rectify",
                generate=silent,
                log_probabilities=AnswerWriter.answer_logits,
                tokenizer=WORDS,
                preprocessing=PLAIN,
            )

    def test_what_spells_nothing_is_something_else(self):
        """As the token of the end: the network would rather stop."""

        class Ending(Vocabulary):
            def decode(self, tokens, /):
                return " ".join(WORDS[token] for token in tokens if WORDS[token] != "light")

        network = Network.of_written_answers(
            AnswerWriter(),
            layer="trunk.rectify",
            generate=write_answers,
            log_probabilities=AnswerWriter.answer_logits,
            tokenizer=Ending(WORDS),
            preprocessing=PLAIN,
        )
        ((first, second),) = network.asked(COLOUR).rivals(pixels("red"), "red square")
        assert (first.text, second.text) == ("red", "something else")

    def test_weights_come_from_a_file(self, tmp_path):
        changed = AnswerWriter()
        with torch.no_grad():
            changed.colours.neg_()
        torch.save(changed.state_dict(), tmp_path / "weights.pt")
        loaded = open_network(WRITER, weights=tmp_path / "weights.pt").asked(COLOUR)
        assert loaded.captions(pixels("red")) != ["red light"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photographs, labelled squares, and a database that was built without a question."""
    place = tmp_path_factory.mktemp("writer")
    for colour in ("red", "blue"):
        colour_square(colour).save(place / f"{colour}.png")
    write_colour_folder(place / "squares")
    return place


@pytest.fixture(scope="module")
def built(place):
    build(WRITER, place / "squares", place / "names.db", draws=0)
    return ["--db", place / "names.db"]


class TestCommandLine:
    def test_questions_share_one_run(self, place, built, run):
        named = ["build", "--network", WRITER, "--concepts", place / "squares", *built, "--draws", "0"]
        for question in QUESTIONS:
            status, said, error = run(*named, "--question", question)
            assert status == 0, error
            assert "Nothing to do" in said + error
            assert "No classes." in " ".join(error.split())

    @pytest.mark.parametrize("extra", [[], ["--words"]])
    def test_the_answer_is_explained_word_by_word(self, place, built, run, extra):
        asked = ["explain", place / "red.png", place / "blue.png", *built, "--question", COLOUR, *extra]
        status, said, error = run(*asked, "--json")
        assert status == 0, error
        answers = json.loads(said)
        assert [answer["caption"] for answer in answers] == ["red light", "blue light"]
        for answer, colour in zip(answers, ("red", "blue"), strict=True):
            assert [word["word"] for word in answer["words"] if word["explanation"]] == [colour]
            assert f"neuron for {colour}" in answer["words"][0]["explanation"]["sentence"]
            assert answer["words"][1]["owes_to_picture"]["nats"] == pytest.approx(0, abs=1e-4)

    def test_a_given_answer_and_a_word(self, place, built, run):
        asked = ["explain", place / "red.png", *built, "--question", COLOUR]
        for given in ("--caption", "--answer"):
            status, said, error = run(*asked, given, "blue light", "--word", "blue")
            assert status == 0, error
            assert "The network says red (over 99%) and gives blue under 1%" in " ".join(said.split())
        status, said, error = run(*asked, "--word", "light", "--json")
        assert status == 0, error
        assert [word["explanation"] is not None for word in json.loads(said)[0]["words"]] == [False, True]

    def test_its_page_says_what_was_asked(self, place, built, run):
        page = place / "page"
        status, _, error = run("explain", place / "red.png", *built, "--question", COLOUR, "--out", page)
        assert status == 0, error
        text = (page / "index.html").read_text()
        assert f"Asked “{COLOUR}”" in text
        assert "“red light”" in text

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "AnswerWriter has no classes; ask it a question (--question"),
            (["--words"], "AnswerWriter writes answers to questions; ask it one: --question, or Network.asked"),
            (["--caption", "red light"], "AnswerWriter writes answers to questions; ask it one"),
            (["--question", ""], "the question '' has no words"),
            (["--question", COLOUR, "--answer", "red", "--answer", "blue"], "one is explained at a time"),
            (["--question", COLOUR, "--answer", "red", "--caption", "blue"], "one is explained at a time"),
            (["--question", COLOUR, "--true-class", "red"], "--true-class would be ignored"),
            (["--question", COLOUR, "--folders-are-classes"], "--folders-are-classes would be ignored"),
            (["--words", "--target", "red"], "--target would be ignored"),
            (["--question", COLOUR, "--caption", "a dog"], "does not know the word 'dog'"),
            (["--question", COLOUR, "--word", "dog"], "the caption “red light” has no word 'dog'"),
        ],
    )
    def test_what_cannot_be_is_refused_in_one_line(self, place, built, run, arguments, message):
        status, said, error = run("explain", place / "red.png", *built, *arguments)
        assert status == 2, said
        assert message in error
        assert len(error.strip().splitlines()) == 1


def test_a_written_answer_in_python(place, built):
    network = answer_writer().asked(COLOUR)
    answer = explain_caption(colour_square("red"), network, built[1])
    assert answer.caption == "red light"
    assert [word.explanation is not None for word in answer.words] == [True, False]
    assert answer.words[1].log_probability == pytest.approx(-math.log1p((len(WORDS) - 1) * math.exp(-SURE)), abs=1e-5)
