"""Captioners of transformers, opened from folders: tiny ones of the real classes, and one that learns colours."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from worlds import COLOURS, colour_concepts, colour_square

transformers = pytest.importorskip("transformers")
hf: Any = transformers

from tiny_transformers import (  # noqa: E402
    BEGIN,
    CELLS,
    END,
    MARKS,
    PAD,
    PATCH,
    SIDE,
    SIZES,
    SPECIAL,
    TEXT,
    VISION,
    WORDS,
    blip,
    ids_of,
    images,
    saved,
)

from db import NameStore  # noqa: E402
from dissection.errors import LayerNotFoundError, NetworkError, WeightsError  # noqa: E402
from dissection.networks.forward import forward  # noqa: E402
from dissection.networks.network import Network  # noqa: E402
from dissection.networks.opening import open_network  # noqa: E402
from dissection.networks.preprocessing import Preprocessing  # noqa: E402
from neuronexplain import build, explain_caption  # noqa: E402
from neuronexplain.methods import saliency  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def git(**settings: object) -> nn.Module:
    config = hf.GitConfig(vision_config={**VISION, "initializer_range": 0.3}, **SIZES, **TEXT, **settings)
    return hf.GitForCausalLM(config)


def encoder_decoder() -> nn.Module:
    encoder = hf.ViTConfig(**VISION, initializer_range=0.3)
    decoder = hf.GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=32, initializer_range=0.3, **MARKS
    )
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = BEGIN, PAD, END
    return hf.VisionEncoderDecoderModel(config=config)


MAKERS = {"blip": blip, "git": git, "encoder-decoder": encoder_decoder}
LAYERS = {
    "blip": "vision_model.encoder.layers.1",
    "git": "git.image_encoder.vision_model.post_layernorm",
    "encoder-decoder": "encoder.layernorm",
}


@pytest.fixture(scope="module", params=MAKERS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp(kind)
    module = MAKERS[kind]()
    # The repository's own settings for generating are not those of an explanation.
    module.generation_config.repetition_penalty = 5.0
    module.generation_config.num_beams = 2
    saved(module, path)
    return path


@pytest.fixture(scope="module")
def network(folder: Path) -> Network:
    return open_network(f"hf/{folder}")


@pytest.fixture(scope="module")
def real(kind: str, folder: Path) -> nn.Module:
    """The network as transformers loads it, which nothing of this project has touched."""
    return type(MAKERS[kind]()).from_pretrained(folder).eval()


def scores(module: nn.Module, pictures: Tensor, ids: list[int]) -> Tensor:
    """What the real class finds of every word after each of these tokens."""
    text = torch.tensor([ids]).expand(len(pictures), -1)
    argument = "decoder_input_ids" if isinstance(module, hf.VisionEncoderDecoderModel) else "input_ids"
    return module(pixel_values=pictures, **{argument: text}).logits[:, -len(ids) :]


def log_odds(module: nn.Module, pictures: Tensor, caption: str) -> Tensor:
    """By the definition, for captions whose words are whole tokens."""
    ids = ids_of(caption)
    logs = scores(module, pictures, [BEGIN, *ids[:-1]]).double().log_softmax(-1)
    p = torch.stack([logs[:, place, token].exp() for place, token in enumerate(ids)], 1)
    return (p / (1 - p)).log()


def by_hand(module: nn.Module, layer: str, pictures: Tensor, caption: str, word: int, first: int = 1) -> Tensor:
    """Grad-CAM for a word's log-odds, with a hook of torch: Eq. 1 and 2; the picture's patches begin at a token."""
    kept: list[Tensor] = []

    def keep(_part: nn.Module, _args: object, output: Tensor) -> Tensor:
        leaf = output.detach().requires_grad_()
        kept.append(leaf)
        return leaf.clone()

    handle = module.get_submodule(layer).register_forward_hook(keep)
    try:
        odds = log_odds(module, pictures, caption)[:, word]
    finally:
        handle.remove()
    (slope,) = torch.autograd.grad(odds.sum(), kept)
    tokens, slopes = kept[0][:, first : first + CELLS], slope[:, first : first + CELLS]
    maps = (tokens * slopes.mean(1, keepdim=True)).sum(2).relu()
    cells = maps.detach().unflatten(1, (1, SIDE // PATCH, -1))
    return nn.functional.interpolate(cells, (SIDE, SIDE), mode="bilinear")[:, 0]


class TestOpened:
    def test_its_layer_is_the_last_map_of_patches_that_runs_once(self, network: Network, kind: str) -> None:
        assert network.layer.name == LAYERS[kind]
        assert (network.layer.units, network.layer.height, network.layer.width) == (16, 4, 4)
        assert not network.classes

    def test_it_writes_the_likeliest_words_one_after_the_other(self, network: Network, real: nn.Module) -> None:
        pictures = images(3)
        expected = []
        for picture in pictures:
            said: list[int] = []
            while len(said) < 30:
                last = scores(real, picture[None], [BEGIN, *said])[0, -1].detach().clone()
                if not said:
                    last[END] = -torch.inf
                said.append(int(last.argmax()))
                if said[-1] == END:
                    break
            spelt = " ".join(WORDS[token] for token in said if token >= len(SPECIAL))
            expected.append(spelt.replace(" ##", ""))
        assert network.captions(pictures) == expected

    def test_the_score_of_a_word_is_its_log_odds(self, network: Network, real: nn.Module) -> None:
        for caption in ("cat", "a red square", "the big cat of light in a small dark square"):
            judge = network.saying(caption)
            assert judge.classes == tuple(caption.split())
            expected = log_odds(real, images(), caption).float()
            torch.testing.assert_close(judge.module(images()), expected, rtol=1e-5, atol=1e-5)

    def test_a_words_map_is_hand_written_grad_cam(self, network: Network, real: nn.Module) -> None:
        for caption, word in (("cat", 0), ("a red square", 1), ("the big cat of light in a small dark square", 8)):
            found = torch.as_tensor(saliency(network.saying(caption), images(), word))
            expected = by_hand(real, network.layer.name, images(), caption, word)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.max()))

    def test_it_is_the_same_when_it_is_opened_again(self, network: Network, folder: Path) -> None:
        again = open_network(f"hf/{folder}")
        assert again.fingerprint == network.fingerprint == network.saying("a red square").body_fingerprint
        assert again.source == network.source
        assert network.source is not None
        assert network.source.network == f"hf/{folder}"

    def test_other_weights(self, network: Network, folder: Path, kind: str, tmp_path: Path) -> None:
        torch.manual_seed(1)
        other = MAKERS[kind]()
        torch.save(other.state_dict(), tmp_path / "weights.pt")
        opened = open_network(f"hf/{folder}", weights=tmp_path / "weights.pt")
        assert opened.fingerprint != network.fingerprint
        expected = log_odds(other.eval(), images(), "a red square").float()
        torch.testing.assert_close(opened.saying("a red square").module(images()), expected, rtol=1e-5, atol=1e-5)

    def test_words_are_nowhere_in_the_image(self, network: Network) -> None:
        """A layer over the caption's words is no map, whether there are as many words as a grid has cells or not."""
        for length in (4, 9, 16, 17, 19, 25):
            judge = network.saying(" ".join(["cat"] * length))
            maps = judge.feature_maps()
            assert maps
            assert {(one.layer.height, one.layer.width) for one in maps} == {(4, 4)}, length
            assert network.layer.name in {one.layer.name for one in maps}

    def test_words_that_it_cannot_say_are_refused(self, network: Network, folder: Path) -> None:
        for caption, word in (("a red zebra", "zebra"), ("a [SEP] square", r"\[SEP\]"), ("[UNK]", r"\[UNK\]")):
            with pytest.raises(NetworkError, match=rf"{folder.name} does not know '{word}'"):
                network.saying(caption)
        with pytest.raises(NetworkError, match=r"the caption has 32 tokens, and .* reads at most 31; shorten it"):
            network.saying(" ".join(["cat"] * 32))
        assert len(network.saying(" ".join(["cat"] * 31)).classes) == 31

    def test_a_word_of_several_tokens_is_one(self, network: Network, real: nn.Module) -> None:
        judge = network.saying("a redish cat")
        assert judge.classes == ("a", "redish", "cat")
        ids = [BEGIN, *ids_of("a red ##ish cat")]
        logs = scores(real, images(), ids[:-1]).double().log_softmax(-1)
        p = (logs[:, 1, ids[2]] + logs[:, 2, ids[3]]).exp()
        torch.testing.assert_close(judge.module(images())[:, 1], (p / (1 - p)).log().float(), rtol=1e-5, atol=1e-5)

    def test_punctuation_stays_where_it_is(self, network: Network, real: nn.Module) -> None:
        """A tokenizer may draw signs and words together only when it sees what follows."""
        judge = network.saying("a cat 's square")
        assert " ".join(judge.classes).replace(" ", "") == "acat'ssquare"
        logs = scores(real, images(), [BEGIN, *ids_of("a cat ' s")]).double().log_softmax(-1)
        p = logs[:, -1, WORDS.index("square")].exp()
        torch.testing.assert_close(judge.module(images())[:, -1], (p / (1 - p)).log().float(), rtol=1e-5, atol=1e-5)

    def test_a_caption_is_explained_from_end_to_end(self, network: Network, tmp_path: Path) -> None:
        with NameStore.create(tmp_path / "names.db") as store:
            run = build(network, colour_concepts(), store).run
            captions = [
                explain_caption(colour_square("red"), network, store, caption=caption, words=["cat"])
                for caption in ("a red cat", "cat")
            ]
        assert run.key.network == network.fingerprint
        picture = network.preprocessing.tensor(network.preprocessing.frame(colour_square("red")))[None]
        for caption, said in zip(captions, ("a red cat", "cat"), strict=True):
            assert [word.text for word in caption.words] == said.split()
            (explanation,) = [word.explanation for word in caption.words if word.explanation]
            assert explanation.target.label == "cat"
            odds = network.saying(said).module(picture).detach()[0, -1]
            log = float(nn.functional.logsigmoid(odds))
            assert caption.words[-1].log_probability == pytest.approx(log, abs=1e-5)


class TestLayers:
    """Where a map lies beside a caption is found anew for each caption, or the layer is refused."""

    LAYER = "git.encoder.layer.1"

    def opened(self, folder: Path) -> Network:
        torch.manual_seed(0)
        return open_network(saved(git(), folder), layer=self.LAYER)

    def test_words_behind_the_patches(self, tmp_path: Path) -> None:
        network, real = self.opened(tmp_path), hf.GitForCausalLM.from_pretrained(tmp_path).eval()
        for length in (1, 2, 7, 16, 17, 25, 31):
            words = [WORDS[4 + number % 10] for number in range(length)]
            judge = network.saying(" ".join(words))
            assert (judge.layer.height, judge.layer.width) == (4, 4)
            assert judge.body_fingerprint == network.fingerprint
            found = torch.as_tensor(saliency(judge, images(), length - 1))
            expected = by_hand(real, self.LAYER, images(), " ".join(words), length - 1)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.max()))

    def test_its_names_do_not_depend_on_the_caption(self, tmp_path: Path) -> None:
        network = self.opened(tmp_path)
        with NameStore.create(tmp_path / "names.db") as store:
            build(network, colour_concepts(8), store)
            for caption in ("cat", "a small red square"):
                word = caption.split()[-1]
                said = explain_caption(colour_square("red"), network, store, caption=caption, words=[word])
                assert said.words[-1].explanation is not None

    @pytest.mark.parametrize("before", [0, 3])
    def test_words_before_the_patches(self, before: int) -> None:
        """The patches' places shift with the length of the text; so do the maps."""

        class Reader(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.patches, self.words = nn.Conv2d(3, 8, 8, 8), nn.Embedding(len(WORDS), 8)
                self.mixed = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                self.said = nn.Linear(8, len(WORDS))

            def forward(self, pictures: Tensor, tokens: Tensor) -> Tensor:
                text = self.words(tokens).expand(len(pictures), -1, -1)
                seen = self.patches(pictures).flatten(2).transpose(1, 2)
                tokens_of_both = torch.cat([text[:, before:], seen, text[:, :before]], 1)
                return self.said(self.mixed(tokens_of_both)).mean(1, keepdim=True).expand(-1, len(tokens), -1)

        torch.manual_seed(0)
        network = Network.of_captions(
            Reader().eval(),
            layer="mixed",
            generate=lambda _, pictures: [[4, 5, 6, 7]] * len(pictures),
            log_probabilities=lambda module, pictures, tokens: module(pictures, tokens),
            tokenizer=WORDS,
            preprocessing=Preprocessing((SIDE, SIDE), (SIDE, SIDE)),
        )
        for length in (4, 9, 20):
            judge = network.saying(" ".join(["cat"] * length))
            assert judge.body_fingerprint == network.fingerprint
            pictures, start = images(1), length - before
            kept: list[Tensor] = []
            handle = judge.module.get_submodule("mixed").register_forward_hook(
                lambda *args, kept=kept: kept.append(args[2])
            )
            judge.module(pictures)
            handle.remove()
            expected = kept[0][:, start : start + CELLS].transpose(1, 2).unflatten(2, (4, 4))
            torch.testing.assert_close(forward(judge, pictures).activation, expected)

    def test_a_layer_that_runs_twice_is_refused_and_another_one_offered(self, tmp_path: Path) -> None:
        name = saved(blip(), tmp_path)
        with pytest.raises(
            LayerNotFoundError, match=r"'vision_model.post_layernorm' .* runs 2 times .* layers with units"
        ):
            open_network(name, layer="vision_model.post_layernorm")

    def test_a_query_that_is_not_of_the_image_is_nowhere(self) -> None:
        """A detector's hundred queries, or sixteen, are no grid of the image."""

        class Detector(nn.Module):
            def __init__(self, queries: int, *, is_fused: bool) -> None:
                super().__init__()
                self.patches = nn.Conv2d(3, 8, 8, 8)
                self.queries, self.is_fused = nn.Parameter(torch.randn(1, queries, 8)), is_fused
                self.asked, self.norm, self.boxes = nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4)

            def forward(self, pictures: Tensor) -> Tensor:
                seen = self.patches(pictures).flatten(2).transpose(1, 2)
                asked = self.asked(self.queries).expand(len(pictures), -1, -1)
                if self.is_fused:
                    looked = nn.functional.scaled_dot_product_attention(asked, seen, seen)
                else:
                    looked = (asked @ seen.transpose(1, 2)).softmax(-1) @ seen
                return self.boxes(self.norm(asked + looked))

        for is_fused in (True, False):
            for queries in (16, 19, 25, 100):
                module = Detector(queries, is_fused=is_fused).eval()
                with pytest.raises(LayerNotFoundError, match=r"gives a tensor of 1x\d+x8, not a feature map"):
                    Network.of_any_output(module, layer="norm", preprocessing=Preprocessing((SIDE, SIDE), (SIDE, SIDE)))


class TestRefused:
    """Each in one line."""

    def refusal(self, folder: Path, **changes: Any) -> str:
        with pytest.raises((NetworkError, WeightsError)) as caught:
            open_network(f"hf/{folder}", **changes)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_vilt(self, tmp_path: Path) -> None:
        config = hf.ViltConfig(**{**VISION, "vocab_size": len(WORDS)})
        saved(hf.ViltForQuestionAnswering(config), tmp_path)
        assert "draws the order of its patches anew in each run" in self.refusal(tmp_path)

    def test_vilt_as_a_network_of_answers(self) -> None:
        """Its patches are drawn in another order each time, whoever asks."""

        class Asked(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.vilt = hf.ViltForQuestionAnswering(hf.ViltConfig(**VISION, vocab_size=len(WORDS), num_labels=3))

            def forward(self, pictures: Tensor, question: Tensor) -> Tensor:
                return self.vilt(input_ids=question, pixel_values=pictures).logits

        with pytest.raises(NetworkError, match=r"gives an image other scores each time: .* draws random numbers"):
            Network.of_answers(
                Asked().eval(),
                layer="vilt.vilt.layernorm",
                encode=lambda question: torch.tensor([ids_of(question)]),
                answers=("red", "green", "blue"),
                question="the cat",
                preprocessing=Preprocessing((SIDE, SIDE), (SIDE, SIDE)),
            )

    def test_videos(self, tmp_path: Path) -> None:
        saved(git(num_image_with_embedding=2), tmp_path)
        assert "(GitForCausalLM) describes videos; give a network that takes one image" in self.refusal(tmp_path)

    def test_other_networks(self, tmp_path: Path) -> None:
        config = hf.BertConfig(**SIZES, vocab_size=len(WORDS))
        saved(hf.BertForMaskedLM(config), tmp_path)
        said = self.refusal(tmp_path)
        assert "(BertForMaskedLM) is not a network that is taken; give a classifier of images, a captioner (" in said
        assert "or an answerer (BlipForQuestionAnswering, LlavaForConditionalGeneration" in said
        assert "BlipForConditionalGeneration, GitForCausalLM, VisionEncoderDecoderModel" in said

    def test_no_tokenizer_or_another_ones(self, tmp_path: Path) -> None:
        saved(blip(), tmp_path)
        for words, count in (([], 0), ([*WORDS, "more", "words"], len(WORDS) + 2 - len(SPECIAL))):
            for file in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
                (tmp_path / file).unlink(missing_ok=True)
            if words:
                (tmp_path / "vocab.txt").write_text("\n".join(words))
                hf.BertTokenizerFast(vocab=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
            assert f"has {count} words, and the network {len(WORDS)} tokens; fetch" in self.refusal(tmp_path)

    def test_an_image_processor_with_other_steps(self, tmp_path: Path) -> None:
        saved(blip(), tmp_path)
        processor = {"image_processor_type": "ViTImageProcessor", "do_pad": True}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
        assert "does more than resize, crop, rescale and normalise photographs (do_pad)" in self.refusal(tmp_path)

    def test_another_size(self, tmp_path: Path) -> None:
        saved(blip(), tmp_path)
        assert "comes with its preprocessing, which cannot be changed here" in self.refusal(tmp_path, input_size=64)

    def test_missing_weights(self, tmp_path: Path) -> None:
        saved(blip(), tmp_path)
        state = load_file(tmp_path / "model.safetensors")
        state.pop("vision_model.encoder.layers.0.mlp.fc1.weight")
        save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
        assert "lacks the weights vision_model.encoder.layers.0.mlp.fc1.weight" in self.refusal(tmp_path)

    def test_no_question(self, tmp_path: Path) -> None:
        network = open_network(saved(blip(), tmp_path))
        with pytest.raises(NetworkError, match="answers no questions"):
            network.asked("what is it ?")


class TestTrained:
    """A BLIP that learns to say the colours of a big square and a small one: words point at what they name."""

    COUNT, STEPS = 64, 350
    CAPTION = "a {} big a {} small"
    ARTICLE, COLOUR, SMALL = 0, 1, 5
    """Places of words in the caption; the colour is that of the big square."""

    def pictures(self, seed: int, count: int) -> tuple[Tensor, list[str], Tensor]:
        """Two squares of different colours at random places of dark noise; captions; masks of the big and the small."""
        draw = torch.Generator().manual_seed(seed)
        big = torch.randint(4, (count,), generator=draw)
        small = (big + 1 + torch.randint(3, (count,), generator=draw)) % 4
        pixels = -1 + 0.2 * torch.rand(count, 3, SIDE, SIDE, generator=draw)
        masks = torch.zeros(2, count, SIDE, SIDE, dtype=torch.bool)
        for index in range(count):
            for square, (cell, side) in enumerate(
                zip(torch.randperm(9, generator=draw).tolist(), (9, 5), strict=False)
            ):
                down, right = torch.randint(10 - side, (2,), generator=draw).tolist()
                top, left = cell // 3 * 10 + 1 + down, cell % 3 * 10 + 1 + right
                masks[square, index, top : top + side, left : left + side] = True
        tints = torch.tensor(list(COLOURS.values())) / 127.5 - 1
        for mask, colours in zip(masks, (big, small), strict=True):
            pixels = torch.where(mask[:, None], tints[colours][:, :, None, None], pixels)
        names = list(COLOURS)
        said = zip(big.tolist(), small.tolist(), strict=True)
        return pixels, [self.CAPTION.format(names[one], names[other]) for one, other in said], masks

    def trained(self) -> nn.Module:
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
        plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.05}
        text = {**TEXT, **sizes, **plain, "sep_token_id": END, "encoder_hidden_size": 32}
        vision = {**VISION, **sizes, "patch_size": 4, "initializer_range": 0.05}
        module = hf.BlipForConditionalGeneration(hf.BlipConfig(text_config=text, vision_config=vision)).train()
        optimizer = torch.optim.AdamW(module.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=self.STEPS)
        for step in range(self.STEPS):
            pixels, captions, _ = self.pictures(step, 32)
            ids = torch.tensor([[BEGIN, *ids_of(caption), END] for caption in captions])
            logits = module(pixel_values=pixels, input_ids=ids[:, :-1]).logits
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return module.eval()

    def test_its_words_point_at_what_they_name(self, tmp_path: Path) -> None:
        network = open_network(saved(self.trained(), tmp_path))
        pixels, captions, masks = self.pictures(10_000, self.COUNT)
        right = [said == true for said, true in zip(network.captions(pixels), captions, strict=True)]
        assert sum(right) >= 0.9 * self.COUNT
        hits = dict.fromkeys(product((self.ARTICLE, self.COLOUR, self.SMALL), (0, 1)), 0)
        for index, caption in enumerate(captions):
            judge = network.saying(caption)
            for word, square in hits:
                heat = torch.as_tensor(saliency(judge, pixels[index : index + 1], word)).flatten()
                hits[word, square] += bool(masks[square, index].flatten()[heat.argmax()])
        by_chance = [self.COUNT * float(mask.float().mean()) for mask in masks]
        assert by_chance == pytest.approx([5.1, 1.6], abs=0.1)
        assert hits[self.COLOUR, 0] > 3 * by_chance[0]
        assert hits[self.SMALL, 1] > 6 * by_chance[1]
        assert hits[self.COLOUR, 0] > 3 * hits[self.COLOUR, 1], "the other square has another colour"
        assert hits[self.COLOUR, 0] > 1.5 * hits[self.ARTICLE, 0], "another word's map"
        assert hits[self.SMALL, 1] > 2 * hits[self.COLOUR, 1], "another word's map"
