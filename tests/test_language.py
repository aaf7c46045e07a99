"""Networks that answer and write: classifiers with a question or a caption, whose names belong to their bodies."""

import copy
import math
import threading
from dataclasses import replace

import pytest
import torch
from talkers import ANSWERS, COLOURS, QUESTIONS, WORDS, Answerer, Captioner, answerer, captioner, generate
from talkers import log_probabilities as words_of
from torch import nn
from worlds import PLAIN, ColourNet, colour_concepts, colour_square

from db import NameStore, StoreError
from db.exchange.plain_files import read_json, write_json
from dissection.errors import ClassNotFoundError, NetworkError
from dissection.networks.body import body_fingerprint, sources_of
from dissection.networks.forward import forward
from dissection.networks.language import Vocabulary, token_log_probabilities
from dissection.networks.network import Network
from dissection.networks.reruns import Reruns
from dissection.vocabulary import Layer
from neuronexplain import CaptionExplainer, build, explain, explain_caption
from neuronexplain.caption import Debt, SaidWord
from neuronexplain.control import with_shuffled_weights
from neuronexplain.methods import saliency


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with NameStore.create(tmp_path_factory.mktemp("talkers") / "names.db") as store:
        build(captioner(), colour_concepts(), store)
        yield store


@pytest.fixture(scope="module")
def captions(store):
    return CaptionExplainer.from_store(captioner(), store)


def pixels(*colours: str) -> torch.Tensor:
    return torch.stack([PLAIN.tensor(PLAIN.frame(colour_square(colour))) for colour in colours])


class TestBody:
    """A run is known by what its layer is computed from."""

    def test_questions_captions_and_other_heads_share_it(self):
        network, other = answerer(), Answerer()
        with torch.no_grad():
            other.colours *= 2
        writer = captioner()
        same = [network, *map(network.asked, QUESTIONS), answerer(other), writer, writer.saying("a red square")]
        assert len({one.body_fingerprint for one in same}) == 1
        assert {one.fingerprint for one in same if not one.classes} == {network.body_fingerprint}
        assert len({one.fingerprint for one in same if one.classes}) == 3, "what is asked, and said, is of the whole"
        assert network.fingerprint == body_fingerprint(ColourNet().eval(), PLAIN, Layer("rectify", 4, 32, 32), None)

    def test_every_weight_before_the_layer_counts(self):
        for name in ("detect.weight", "detect.bias"):
            changed = Answerer()
            with torch.no_grad():
                changed.trunk.get_parameter(name).view(-1)[0] += 1e-3
            assert answerer(changed).fingerprint != answerer().fingerprint, name

    def test_a_setting_before_the_layer_counts(self):
        changed = Answerer()
        changed.trunk.detect.padding_mode = "circular"
        assert answerer(changed).fingerprint != answerer().fingerprint

    def test_it_is_found_wherever_a_weight_is_used(self):
        class Scale(torch.autograd.Function):
            @staticmethod
            def forward(ctx, value, factor):
                return value * factor

            @staticmethod
            def backward(ctx, gradient):
                return gradient, None

        class Odd(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3, padding=1))
                self.factor, self.written = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.ones(4))
                self.register_buffer("shift", torch.ones(1))
                self.last, self.after, self.unused = nn.ReLU(), nn.Linear(4, 2), nn.Linear(3, 3)
                self.register_buffer("question", torch.ones(4))

            def forward(self, x):
                asked = self.after.weight @ self.question
                x = self.norm(x - self.shift)
                held = torch.zeros_like(x)
                held[:, :, 0, 0] = self.written
                x = Scale.apply(x + held, self.factor)
                return self.after(self.last(x).mean((2, 3))) * asked

        sources = sources_of(Odd().eval(), PLAIN, "last")
        inside = {"norm.bias", "norm.parametrizations.weight.original0", "norm.parametrizations.weight.original1"}
        assert sources.tensors == inside | {"factor", "written", "shift"}
        assert {"norm", "last"} <= sources.modules
        assert not {"after", "unused"} & sources.modules

    def test_the_same_body_deeper_in_a_network_has_the_same_fingerprint(self):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()).eval()

        class Deep(nn.Module):
            def __init__(self):
                super().__init__()
                self.part = nn.ModuleDict({"eye": body})
                self.words = nn.Linear(4, 5)

            def forward(self, x):
                return self.words(self.part["eye"](x).mean((2, 3)))

        layer = Layer("3", 4, 28, 28)
        alone = body_fingerprint(body, PLAIN, layer, None)
        deep = body_fingerprint(Deep().eval(), PLAIN, Layer("part.eye.3", 4, 28, 28), None)
        assert alone == deep
        assert alone != body_fingerprint(body, PLAIN, Layer("1", 4, 30, 30), None)

    def test_what_is_done_to_the_image_before_counts(self):
        """A captioner that prepares photographs once more sees other maps with the same weights."""
        mean = torch.full((1, 3, 1, 1), 0.25)
        ways = {
            "as it is": lambda images: images.to(torch.float32).detach(),
            "scaled": lambda images: images * 2 - 1,
            "less": lambda images: images - mean,
            "less in place": lambda images: images.clone().sub_(2 * mean),
            "blue first": lambda images: images.flip(1),
            "half of it": lambda images: images[:, :, ::2],
        }

        class Prepared(nn.Module):
            def __init__(self, prepare):
                super().__init__()
                self.prepare, self.trunk = prepare, ColourNet()

            def forward(self, images):
                return self.trunk(self.prepare(images))

        layer = Layer("trunk.rectify", 4, 32, 32)
        found = {name: body_fingerprint(Prepared(way).eval(), PLAIN, layer, None) for name, way in ways.items()}
        assert found["as it is"] == body_fingerprint(ColourNet().eval(), PLAIN, Layer("rectify", 4, 32, 32), None)
        assert len(set(found.values())) == len(ways)


class TestWords:
    """The score of a word is its log-odds given the words before it."""

    def test_it_is_as_defined(self):
        network = captioner().saying("a red square")
        assert network.classes == ("a", "red", "square")
        images = pixels("red", "blue")
        scores = network.head.scores(network.head.run(network.module, images), 2).detach()
        tokens = torch.tensor([WORDS.index(word) for word in network.classes])
        logs = words_of(Captioner().double(), images.double(), tokens).detach()
        for image in range(2):
            for place, token in enumerate(tokens.tolist()):
                p = math.exp(logs[image, place, token])
                assert float(scores[image, place]) == pytest.approx(math.log(p / (1 - p)), abs=1e-5)
        probabilities = logs.gather(2, tokens.expand(2, -1)[..., None])[..., 0].exp().float()
        assert torch.allclose(network.head.probabilities(scores), probabilities, atol=1e-6)

    def test_it_does_not_fade_where_a_word_is_certain(self):
        logits = torch.tensor([[[40.0, 0.0, 0.0]]], requires_grad=True)
        likely, unlikely = token_log_probabilities(logits, torch.tensor([0]))
        assert float((likely - unlikely).detach()) == pytest.approx(40 - math.log(2))
        (slope,) = torch.autograd.grad((likely - unlikely).sum(), logits)
        assert float(slope[0, 0, 0]) == pytest.approx(1, abs=1e-5)

    def test_half_precision_is_widened_before_words_are_compared(self):
        network = Network.of_captions(
            Captioner(),
            layer="trunk.rectify",
            generate=generate,
            log_probabilities=lambda module, images, tokens: words_of(module, images, tokens).half(),
            tokenizer=WORDS,
            preprocessing=PLAIN,
        )
        judge = network.saying("a red square")
        scores = judge.head.scores(judge.head.run(judge.module, pixels("red")), 1)
        assert scores.dtype == torch.float32
        assert scores.isfinite().all()

    def test_a_word_of_several_tokens_is_one_word(self):
        class Pieces:
            pieces = ("a", " ti", "ger", "cat", " run", "s")

            def encode(self, text):
                assert text == "a tiger runs"
                return [0, 1, 2, 4, 5]

            def decode(self, tokens):
                return "".join(self.pieces[token] for token in tokens)

        torch.manual_seed(1)
        table = torch.randn(5, 6, dtype=torch.float64)

        class Saying(nn.Module):
            def __init__(self):
                super().__init__()
                self.eye = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

        network = Network.of_captions(
            Saying().eval(),
            layer="eye.1",
            generate=lambda module, images: [[0, 1, 2, 4, 5]] * len(images),
            log_probabilities=lambda module, images, tokens: (
                table[: len(tokens)] + module.eye(images).mean((1, 2, 3))[:, None, None].double()
            ),
            tokenizer=Pieces(),
            preprocessing=PLAIN,
        ).saying("a tiger runs")
        assert network.classes == ("a", "tiger", "runs")
        scores = network.head.scores(network.head.run(network.module, pixels("red")), 1).detach()
        logs = table.log_softmax(-1)
        p = math.exp(logs[1, 1] + logs[2, 2])
        assert float(scores[0, 1]) == pytest.approx(math.log(p / (1 - p)))

    def test_signs_are_joined_with_words_only_in_order(self):
        """A tokenizer that cleans its text shows ``man '`` as two words until an ``s`` follows."""

        class Cleaning:
            pieces = ("a", "man", "'", "s", "hat")

            def encode(self, text):
                assert text == "a man's hat"
                return [0, 1, 2, 3, 4]

            def decode(self, tokens):
                return " ".join(self.pieces[token] for token in tokens).replace(" ' s", "'s")

        language = replace(captioner().language, tokenizer=Cleaning())
        assert language.tokens("a man's hat") == (("a", "man's", "hat"), ((0,), (1, 2, 3), (4,)))

    def test_a_caption_of_one_word_has_one_score(self):
        network = captioner().saying("red")
        scores = forward(network, pixels("red", "blue")).scores
        assert scores.shape == (2, 1)
        assert torch.equal(scores, network.module(pixels("red", "blue")))

    def test_a_captions_map_is_hand_written_grad_cam(self, captions):
        """The heat map of the caption, and of one word, from the text: Eq. 1 and 2 for a sum of log-probabilities."""
        module, images = Captioner(), pixels("yellow")
        tokens = torch.tensor([WORDS.index(word) for word in ["a", "yellow", "square"]])
        maps = module.trunk(images).detach().requires_grad_()
        seen = (1 + maps.mean((2, 3))) ** 2 @ module.colours
        habits = module.habits[WORDS.index("a")].clone()
        habits = habits + nn.functional.pad(seen[0], (1, 3))
        log = habits.log_softmax(-1)[tokens[1]]
        (slope,) = torch.autograd.grad(log, maps, retain_graph=True)
        expected = (slope.mean((2, 3))[..., None, None] * maps).sum(1).relu().detach()[0]
        with_names = captions.explain(colour_square("yellow"), caption="a yellow square")
        assert torch.allclose(torch.from_numpy(with_names.heatmap), expected, atol=1e-6)
        found = saliency(captioner(module).saying("a yellow square"), images, "yellow")
        odds = habits[tokens[1]] - torch.cat([habits[: tokens[1]], habits[tokens[1] + 1 :]]).logsumexp(0)
        (slope,) = torch.autograd.grad(odds, maps)
        expected = (slope.mean((2, 3))[..., None, None] * maps).sum(1).relu().detach()
        assert torch.allclose(torch.as_tensor(found).reshape(expected.shape), expected, atol=1e-5)


class TestCaptions:
    @pytest.mark.parametrize("colour", COLOURS)
    def test_only_the_word_that_owes_something_to_the_picture_is_explained(self, captions, colour):
        caption = captions.explain(colour_square(colour))
        assert caption.caption == f"a {colour} square"
        assert [word.debt.is_owed for word in caption.words] == [False, True, False]
        assert [word.explanation is not None for word in caption.words] == [False, True, False]
        assert caption.words[0].sentence == "It would say “a” whatever the picture."
        assert caption.sentence.startswith("It would say “a” and “square” whatever the picture. The network says ")
        assert f"because its neuron for {colour} (" in caption.words[1].sentence
        assert "; without this neuron its score falls by 9.0, from 7.9." in caption.words[1].sentence

    def test_a_debt_is_the_mean_over_other_pictures(self, store):
        """0 for words that are said anyway; for the colour as the definition says."""
        others = [colour_square(colour) for colour in COLOURS]
        caption = explain_caption(colour_square("red"), captioner(), store, others=others)
        tokens = torch.tensor([WORDS.index(word) for word in ("a", "red", "square")])
        logs = (
            words_of(Captioner(), pixels("red", *COLOURS), tokens)
            .detach()
            .gather(2, tokens.expand(5, -1)[..., None])[..., 0]
        )
        for place, word in enumerate(caption.words):
            expected = float(logs[0, place] - logs[1:, place].mean())
            assert word.debt.value == pytest.approx(expected, abs=1e-5)
            assert word.debt.pictures == 4
            spread = 1.96 * float(logs[1:, place].std()) / 2
            assert word.debt.interval == pytest.approx((expected - spread, expected + spread), abs=1e-5)
        assert caption.log_probability == pytest.approx(float(logs[0].sum()), abs=1e-5)

    def test_a_caption_and_words_can_be_chosen(self, captions):
        caption = captions.explain(colour_square("red"), caption="a blue square", words=["Blue"])
        assert [word.explanation is not None for word in caption.words] == [False, True, False]
        assert caption.words[1].debt.value < 0
        assert caption.words[1].sentence.startswith("The network says red (over 99%) and gives blue under 1%")
        plain = caption.to_dict()
        assert plain["caption"] == "a blue square"
        assert plain["words"][1]["explanation"]["target"]["label"] == "blue"
        assert plain["words"][1]["owes_to_picture"]["is_owed"] is False

    def test_words_are_chosen_for_every_photograph(self, captions):
        photographs = [colour_square("red"), colour_square("blue")]
        for caption in captions.explain_all(photographs, words=iter(["square"])):
            assert [word.text for word, _ in caption.explained] == ["square"]

    def test_it_shows_itself(self, captions, tmp_path):
        caption = captions.explain(colour_square("green"))
        assert repr(caption) == "<ExplainedCaption of the picture: “a green square”; words explained: green>"
        article = caption._repr_html_()
        assert "“a green square”" in article
        assert "It would say “a” and “square” whatever the picture." in article
        assert caption.words[1].explanation.image == caption.image
        assert article.count('class="of-word"') == 1
        caption.save(tmp_path / "all")
        assert {path.suffix for path in (tmp_path / "all").iterdir()} == {".html", ".png", ".json"}
        titles = [axes.get_title() for axes in caption.figure().axes]
        assert titles[:3] == ["What the network saw", "Evidence for the whole caption", "Evidence for green"]
        unexplained = captions.explain(colour_square("green"), words=[])
        assert unexplained.explained == []
        unexplained.save(tmp_path / "none")

    def test_a_hostile_word_is_text(self, captions):
        caption = captions.explain(colour_square("green"))
        word = replace(caption.words[1], text="<script>alert(1)</script>")
        hostile = replace(caption, words=(caption.words[0], word), image="<b>x</b>")
        assert "<script>alert(1)" not in hostile._repr_html_()
        assert "<b>x</b>" not in hostile._repr_html_()

    @pytest.mark.parametrize(
        ("log_probability", "value", "half", "sentence"),
        [
            (-0.1, 0.2, 0.1, "It would say “dog” whatever the picture."),
            (-2.0, 0.2, 0.1, "“dog” owes little to the picture."),
            (-0.1, 0.9, 0.2, "It is unsure what “dog” owes to the picture."),
            (-0.1, 3.0, 0.5, ""),
        ],
    )
    def test_of_other_words_no_more_is_said_than_is_known(self, log_probability, value, half, sentence):
        debt = Debt(value, (value - half, value + half), 32)
        assert SaidWord("dog", 0, log_probability, debt, None).sentence == sentence

    def test_without_other_pictures_nothing_is_said_of_debts(self, store):
        caption = explain_caption(colour_square("red"), captioner(), store, others=[])
        assert [word.debt for word in caption.words] == [None] * 3
        assert all(word.explanation is not None for word in caption.words)

    def test_what_cannot_be_is_refused(self, store):
        with pytest.raises(ClassNotFoundError, match="the caption “a red square” has no word 'dog'"):
            explain_caption(colour_square("red"), captioner(), store, words="dog")
        with pytest.raises(NetworkError, match="does not know the word 'dog'"):
            explain_caption(colour_square("red"), captioner(), store, caption="a dog")
        with pytest.raises(NetworkError, match="the caption ' ' has no words"):
            captioner().saying(" ")
        with pytest.raises(NetworkError, match=r"writes no captions; make one that does with Network\.of_captions"):
            explain_caption(colour_square("red"), answerer(), store)
        with pytest.raises(NetworkError, match=r"answers no questions; make one that does with Network\.of_answers"):
            captioner().asked("what ?")


class TestAnswers:
    def test_an_answer_is_explained_as_a_class_is(self, store):
        network = answerer()
        explanation = explain(colour_square("blue"), network.asked(QUESTIONS[0]), store)
        assert explanation.target.label == "blue"
        assert "because its neuron for blue (" in explanation.sentence
        other = explain(colour_square("blue"), network.asked(QUESTIONS[0]), store, target="yellow")
        assert other.sentence.startswith("The network says blue")
        assert "gives yellow" in other.sentence

    def test_an_answer_that_does_not_look_has_no_neurons(self, store):
        explanation = explain(colour_square("blue"), answerer().asked(QUESTIONS[1]), store)
        assert explanation.target.label == "yes"
        assert "because" not in explanation.sentence

    def test_importances_are_gathered_for_a_question(self, tmp_path):
        network = answerer()
        with NameStore.create(tmp_path / "names.db") as names:
            bare, asked, other = (
                build(one, colour_concepts(), names).run for one in (network, *map(network.asked, QUESTIONS))
            )
            assert len({run.key.digest for run in (bare, asked, other)}) == 3
            assert {run.body for run in (bare, asked, other)} == {bare.key.network}
            assert len({run.key.network for run in (bare, asked, other)}) == 3
            assert asked.evidence.endswith("asked “what colour is it ?”")
            assert names.concepts_of(asked, ANSWERS.index("yellow"))[0].concept.spoken == "yellow"
            assert not names.class_images(bare)
            assert names.names(bare) == names.names(asked)

    def test_its_runs_can_be_shared(self, tmp_path):
        """A run without classes, and one of a question's answers, survive an export and an import."""
        network = answerer()
        with NameStore.create(tmp_path / "names.db") as names:
            for one in (network, network.asked(QUESTIONS[0])):
                build(one, colour_concepts(), names)
            write_json(tmp_path / "names.json", names.whole_runs())
            kept = list(names.whole_runs())
        read, _ = read_json(tmp_path / "names.json")
        for before, after in zip(kept, read, strict=True):
            assert replace(before.run, id=0) == after.run
            assert before.dissection == after.dissection
            assert len(before.importances) == len(after.importances)
        with NameStore.create(tmp_path / "shared.db") as shared:
            assert [adopted.is_new for adopted in shared.adopt(read)] == [True, True]

    def test_without_a_question_there_are_no_classes(self, store):
        run = store.runs()[0]
        for question in (lambda: store.concepts_of(run, 0), lambda: store.classes_for(run, "red")):
            with pytest.raises(StoreError, match="is of Captioner without classes: nothing is known"):
                question()
        with pytest.raises(NetworkError, match="Answerer has no classes; ask it a question"):
            explain(colour_square("red"), answerer(), store)
        with pytest.raises(ClassNotFoundError, match="there is no class 'red', since the network has no classes"):
            explain(colour_square("red"), answerer(), store, target="red")

    def test_nor_has_a_network_of_any_output(self, tmp_path):
        network = Network.of_any_output(ColourNet().eval(), layer="rectify", preprocessing=PLAIN)
        build(network, colour_concepts(), tmp_path / "names.db", draws=20)
        with pytest.raises(NetworkError, match=r"ColourNet has no classes; give saliency a function"):
            explain(colour_square("red"), network, tmp_path / "names.db")
        assert saliency(network, pixels("red"), 0) is not None

    def test_other_methods_stand_beside_words_and_answers(self, store):
        asked = explain(
            colour_square("red"), answerer().asked(QUESTIONS[0]), store, methods=["counterfactual", "gradient"]
        )
        caption = explain_caption(colour_square("red"), captioner(), store, methods="counterfactual")
        assert [one.method.name for one in asked.others] == ["counterfactual", "gradient"]
        assert [one.method.name for one in caption.words[1].explanation.others] == ["counterfactual"]

    def test_questions_are_told_apart_in_threads(self):
        """Both networks have the same parts, and hooks are not safe: one waits for the other."""
        network = answerer()
        expected = [saliency(network.asked(question), pixels("red"), 0) for question in QUESTIONS]
        wrong = []

        def ask(number):
            for _ in range(20):
                found = saliency(network.asked(QUESTIONS[number]), pixels("red"), 0)
                if not torch.equal(torch.as_tensor(found), torch.as_tensor(expected[number])):
                    wrong.append(number)

        threads = [threading.Thread(target=ask, args=(number % 2,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_an_encoder_that_gives_no_tensors_is_refused(self):
        for encoded in ("text", torch.zeros(2, 3), torch.tensor(1.0), (torch.zeros(1, 2), None)):
            with pytest.raises(NetworkError, match=r"encode makes .* of a question; tensors whose first axis is 1"):
                Network.of_answers(
                    Answerer(),
                    layer="trunk.rectify",
                    encode=lambda _, e=encoded: e,
                    answers=ANSWERS,
                    preprocessing=PLAIN,
                )


def test_a_module_is_left_as_it_was():
    module = Answerer().train()
    before = copy.deepcopy(module.state_dict())
    network = answerer(module)
    saliency(network.asked(QUESTIONS[0]), pixels("red"), 0)
    assert module.training
    assert all(part.training for part in module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert set(dict(network.module.named_modules())) == set(dict(module.named_modules()))


def test_a_shuffled_copy_runs_its_own_weights():
    network = answerer().asked(QUESTIONS[0])
    shuffled = with_shuffled_weights(network)
    images = pixels("red")
    assert not torch.equal(network.module(images), shuffled.module(images))
    assert torch.equal(network.module(images), answerer().asked(QUESTIONS[0]).module(images))


def test_a_vocabulary_reads_what_it_writes():
    words = Vocabulary(WORDS)
    assert words.decode(words.encode("a red square")) == "a red square"
    assert words.decode(words.encode("A Red SQUARE")) == "a red square"
    assert Vocabulary(["us", "US"]).encode("us US Us") == [0, 1, 0]
    with pytest.raises(NetworkError, match="does not know the word 'Dog'; use one of the 8 that it knows"):
        words.encode("a Dog")


def test_what_fails_in_a_users_function_is_said_to_be_theirs():
    def broken(*_: object) -> None:
        raise KeyError("dog")

    parts = {"layer": "trunk.rectify", "preprocessing": PLAIN}
    with pytest.raises(NetworkError, match=r"encode of the network fails on the question 'what is it \?' \(KeyError: "):
        Network.of_answers(Answerer(), encode=broken, answers=ANSWERS, **parts)
    with pytest.raises(NetworkError, match=r"generate of the network fails while it writes \(KeyError: "):
        Network.of_captions(Captioner(), generate=broken, log_probabilities=words_of, tokenizer=WORDS, **parts)


@pytest.mark.parametrize(("most", "said"), [(0, "1 image"), (1, "2 images"), (2, "3 images")])
def test_what_fails_in_log_probabilities_is_said_to_be_theirs(most, said):
    def broken(module, images, tokens):
        if len(images) > most:
            raise KeyError("dog")
        return words_of(module, images, tokens)

    parts = {"layer": "trunk.rectify", "preprocessing": PLAIN, "tokenizer": WORDS, "generate": generate}
    message = rf"^log_probabilities of the network fails on {said} at once and a caption of 3 tokens \(KeyError: 'dog"

    def open_and_compare() -> None:
        network = Network.of_captions(Captioner(), log_probabilities=broken, **parts)
        network.rivals(pixels("red", "red", "blue"), "a red square")

    with pytest.raises(NetworkError, match=message):
        open_and_compare()


def test_a_head_that_cannot_run_again_on_its_own_is_run_as_a_whole():
    """The second run calls other functions: that is no failure of the user's function."""
    calls = []

    def counting(module, images, tokens):
        calls.append(len(images))
        extra = images.sum() * 0 if len(calls) % 2 else torch.zeros(())
        return words_of(module, images + extra, tokens)

    network = replace(captioner(), language=replace(captioner().language, log_probabilities=counting))
    reruns = Reruns(network.saying("a red square"))
    noted = reruns.forward(pixels("red"))
    scores = reruns.scores(noted, noted.result.activation.detach())
    assert torch.allclose(scores, noted.result.scores.detach())


def test_a_captioner_that_is_silent_about_noise_is_given_a_caption():
    parts = {
        "layer": "trunk.rectify",
        "generate": lambda module, images: [[]] * len(images),
        "log_probabilities": words_of,
        "tokenizer": WORDS,
        "preprocessing": PLAIN,
    }
    with pytest.raises(NetworkError, match="writes nothing of an image of noise; give any caption"):
        Network.of_captions(Captioner(), **parts)
    assert Network.of_captions(Captioner(), caption="a red square", **parts).fingerprint == captioner().fingerprint


def test_a_captioner_must_write_for_each_image():
    with pytest.raises(NetworkError, match="images given to generate: 1, captions that it gives: 0"):
        Network.of_captions(
            Captioner(),
            layer="trunk.rectify",
            generate=lambda module, images: [],
            log_probabilities=words_of,
            tokenizer=WORDS,
            preprocessing=PLAIN,
        )
    with pytest.raises(
        NetworkError, match=r"log_probabilities gives float32 of shape \(1, 8\); \(1, 3, words\) is needed"
    ):
        Network.of_captions(
            Captioner(),
            layer="trunk.rectify",
            generate=generate,
            log_probabilities=lambda module, images, tokens: words_of(module, images, tokens)[:, 0],
            tokenizer=WORDS,
            preprocessing=PLAIN,
        )
