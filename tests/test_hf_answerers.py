"""Answerers of transformers, which write their answers, opened from folders: tiny ones of the real classes."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from worlds import COLOURS, colour_square, write_colour_folder

transformers = pytest.importorskip("transformers")
hf: Any = transformers

from tiny_transformers import (  # noqa: E402
    BEGIN,
    CELLS,
    END,
    PATCH,
    SIDE,
    VISION,
    blip,
    ids_of,
    images,
    saved,
)
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors  # noqa: E402

from dissection.errors import LayerNotFoundError, NetworkError, NotConnectedError  # noqa: E402
from dissection.networks.opening import open_network  # noqa: E402
from neuronexplain.methods import saliency  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dissection.networks.network import Network

QUESTIONS = ("what is it?", "is it a red cat?")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}Q: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %} {{ part['text'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nA: ' }}{% endif %}{% endfor %}"
)


def vicuna(*, is_marked: bool = True) -> Any:
    """A tokenizer like LLaMA's: words bring the space before them along, and some are of several tokens."""
    words = [
        "\u2581a",
        *(f"\u2581{colour}" for colour in COLOURS),
        "\u2581square",
        "\u2581cat",
        "ish",
        "\u2581is",
        "\u2581it",
    ]
    signs = sorted({*string.ascii_letters, *string.punctuation, "\n", "\u2581"})
    marks = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    pieces = Tokenizer(
        models.Unigram([*marks, *((word, -1.0) for word in words), *((sign, -9.0) for sign in signs)], 0)
    )
    pieces.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    pieces.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    pieces.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.add_tokens([AddedToken("<image>", special=is_marked, normalized=False)])
    return tokenizer


def llava(kind: str = "Llava", *, vision: Any = None, **settings: Any) -> nn.Module:
    tokenizer = vicuna()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2}
    text = hf.LlamaConfig(
        vocab_size=len(tokenizer),
        **sizes,
        num_hidden_layers=2,
        max_position_embeddings=300,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = vision or hf.CLIPVisionConfig(**{**VISION, "num_hidden_layers": 4}, projection_dim=8)
    image = tokenizer.convert_tokens_to_ids("<image>")
    config = getattr(hf, f"{kind}Config")(
        vision_config=vision, text_config=text, **{"image_token_index": image, **settings}
    )
    module = getattr(hf, f"{kind}ForConditionalGeneration")(config)
    with torch.no_grad():
        for part in (module.model.vision_tower, module.model.multi_modal_projector):
            for weight in part.parameters():
                if weight.ndim > 1:
                    nn.init.normal_(weight, std=0.3)
    return module


def saved_llava(module: Any, folder: Path, *, template: str | None = None, tokenizer: Any = None) -> str:
    module.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    seeing = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size)
    processor = hf.LlavaProcessor(
        seeing, tokenizer or vicuna(), patch_size=PATCH, vision_feature_select_strategy="default"
    )
    processor.chat_template = template
    processor.save_pretrained(folder)
    return f"hf/{folder}"


@dataclass(frozen=True)
class Kind:
    """A class of answerers, and how the real class is run by hand."""

    make: Callable[[], Any]
    save: Callable[[nn.Module, Path], str]
    layer: str
    prompt: Callable[[str], list[int]]
    spell: Callable[[str], list[int]]
    ends: tuple[int, ...]
    first: int = 1

    @property
    def redish(self) -> str:
        """A word of two tokens, as it is spelled."""
        return "redish" if self.is_llava else "red ##ish"

    @property
    def is_llava(self) -> bool:
        return "vision_tower" in self.layer

    def scores(self, module: Any, pictures: Tensor, question: str, said: Sequence[int]) -> Tensor:
        """What the real class finds of every word after each token of its answer."""
        asked = torch.tensor([self.prompt(question)]).expand(len(pictures), -1)
        before = torch.tensor([said], dtype=torch.long).expand(len(pictures), -1)
        if self.is_llava:
            both = torch.cat([asked, before], 1)
            return module(input_ids=both, pixel_values=pictures).logits[:, asked.shape[1] - 1 :]
        begin = torch.full((len(pictures), 1), BEGIN)
        seen = module.vision_model(pictures)[0]
        read = module.text_encoder(input_ids=asked, encoder_hidden_states=seen)[0]
        return module.text_decoder(input_ids=torch.cat([begin, before], 1), encoder_hidden_states=read).logits


def llava_prompt(question: str, patches: int = CELLS) -> list[int]:
    return vicuna().encode(f"USER: {'<image>' * patches}\n{question} ASSISTANT:")


def templated_prompt(question: str) -> list[int]:
    return vicuna().encode(f"<s>Q: {'<image>' * CELLS} {question}\nA: ", add_special_tokens=False)


def vip_prompt(question: str) -> list[int]:
    return vicuna().encode(
        "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
        f"detailed, and polite answers to the human's questions.###Human: {'<image>' * CELLS}\n{question}###Assistant:"
    )


def spell_vicuna(text: str) -> list[int]:
    return vicuna().encode(text, add_special_tokens=False)


TOWER = "model.vision_tower.encoder.layers"
KINDS = {
    "blip": Kind(
        lambda: blip("BlipForQuestionAnswering"),
        saved,
        "vision_model.encoder.layers.1",
        lambda question: [BEGIN, *ids_of(question), END],
        ids_of,
        (END,),
    ),
    "llava": Kind(llava, saved_llava, f"{TOWER}.2", llava_prompt, spell_vicuna, (2,)),
    "llava-last-layer-with-class-token": Kind(
        lambda: llava(vision_feature_layer=-1, vision_feature_select_strategy="full"),
        saved_llava,
        f"{TOWER}.3",
        lambda question: llava_prompt(question, CELLS + 1),
        spell_vicuna,
        (2,),
    ),
    "llava-template": Kind(
        lambda: llava(vision_feature_layer=[1, -3]),
        lambda module, folder: saved_llava(module, folder, template=TEMPLATE),
        f"{TOWER}.1",
        templated_prompt,
        lambda text: spell_vicuna(f": {text}")[2:],
        (2,),
    ),
    "vipllava": Kind(
        lambda: llava("VipLlava", vision_feature_layers=[-2, 1]),
        saved_llava,
        f"{TOWER}.2",
        vip_prompt,
        spell_vicuna,
        (2,),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def questions(kind: Kind) -> tuple[str, str]:
    return QUESTIONS if kind.is_llava else ("the cat of light", "a red cat")


@pytest.fixture(scope="module")
def folder(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("answerer")
    module: Any = kind.make()
    module.generation_config.repetition_penalty = 5.0  # not what is explained
    kind.save(module, path)
    return path


@pytest.fixture(scope="module")
def network(folder: Path) -> Network:
    network = open_network(f"hf/{folder}")
    network.module.double()  # so that rounding is no matter
    return network


@pytest.fixture(scope="module")
def real(kind: Kind, folder: Path) -> nn.Module:
    """The network as transformers loads it, which nothing of this project has touched."""
    return type(kind.make()).from_pretrained(folder).eval().double()


def log_odds(kind: Kind, real: nn.Module, pictures: Tensor, question: str, answer: Sequence[Sequence[int]]) -> Tensor:
    """By the definition: of each word, whose tokens are given."""
    tokens = [token for word in answer for token in word]
    logs = kind.scores(real, pictures, question, tokens[:-1]).double().log_softmax(-1)
    likely = torch.stack([logs[:, place, token] for place, token in enumerate(tokens)], 1)
    p = torch.stack([word.sum(1).exp() for word in likely.split([len(word) for word in answer], 1)], 1)
    return (p / (1 - p)).log()


def by_hand(kind: Kind, real: nn.Module, odds: Callable[[], Tensor]) -> Tensor:
    """Grad-CAM with a hook of torch that comes before those of transformers: Eq. 1 and 2."""
    kept: list[Tensor] = []

    def keep(_part: nn.Module, _args: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()

    handle = real.get_submodule(kind.layer).register_forward_hook(keep, prepend=True)
    try:
        (slope,) = torch.autograd.grad(odds().sum(), kept)
    finally:
        handle.remove()
    tokens, slopes = (values[:, kind.first : kind.first + CELLS] for values in (kept[0].detach(), slope))
    cells = (tokens * slopes.mean(1, keepdim=True)).sum(2).relu().unflatten(1, (1, SIDE // PATCH, -1))
    return nn.functional.interpolate(cells, (SIDE, SIDE), mode="bilinear")[:, 0]


class TestOpened:
    def test_its_layer_is_the_last_map_that_the_answer_is_computed_from(self, network: Network, kind: Kind) -> None:
        assert network.layer.name == kind.layer
        assert (network.layer.units, network.layer.height, network.layer.width) == (16, 4, 4)
        assert not network.classes

    def test_it_writes_the_likeliest_words_one_after_the_other(
        self, network: Network, real: nn.Module, kind: Kind, questions: tuple[str, str], folder: Path
    ) -> None:
        pictures = images(2).double()
        for question in questions:
            expected = []
            for picture in pictures:
                said: list[int] = []
                while len(said) < 30:
                    last = kind.scores(real, picture[None], question, said)[0, -1].detach().clone()
                    if not said:
                        last[list(kind.ends)] = -torch.inf
                    said.append(int(last.argmax()))
                    if said[-1] in kind.ends:
                        break
                tokenizer = hf.AutoTokenizer.from_pretrained(folder)
                expected.append(tokenizer.decode(said, skip_special_tokens=True).strip())
            assert network.asked(question).captions(pictures) == expected

    def test_words_and_maps_are_those_of_the_real_class(
        self, network: Network, real: nn.Module, kind: Kind, questions: tuple[str, str]
    ) -> None:
        """Log-odds, and hand-written Grad-CAM to 1e-6, for words of several tokens too."""
        pictures = images(2).double()
        for question, answer in zip(questions, ("a redish cat", "red"), strict=True):
            judge = network.asked(question).saying(answer)
            assert judge.classes == tuple(answer.split())
            assert judge.body_fingerprint == network.fingerprint
            words = [kind.spell(word.replace("redish", kind.redish)) for word in answer.split()]
            found = judge.module(pictures)
            expected = log_odds(kind, real, pictures, question, words)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
            for word in range(len(words)):
                odds = partial(log_odds, kind, real, pictures, question, words)
                maps = by_hand(kind, real, lambda odds=odds, word=word: odds()[:, word])
                assert float(maps.max()) > 0
                seen = torch.as_tensor(saliency(judge, pictures, word))
                torch.testing.assert_close(seen.double(), maps, rtol=0, atol=1e-6 * float(maps.max()))

    def test_it_is_the_same_when_it_is_opened_again(self, network: Network, folder: Path) -> None:
        again = open_network(f"hf/{folder}")
        assert again.fingerprint == network.fingerprint
        assert again.source == network.source

    def test_what_it_does_not_know_or_cannot_hold_is_refused(
        self, network: Network, kind: Kind, questions: tuple[str, str]
    ) -> None:
        odd = "<image>" if kind.is_llava else "[SEP]"
        asked = network.asked(questions[0])
        for ask in (network.asked, asked.saying):
            with pytest.raises(NetworkError, match=r"does not know .*; say it in words that it knows") as caught:
                ask(f"a red {odd}")
            assert odd in str(caught.value)
            with pytest.raises(NetworkError, match=r"tokens, and .* reads at most .*; shorten it"):
                ask(" ".join(["cat"] * 320))


def test_questions_are_explained_from_end_to_end(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    """One run of names serves all questions, and another answerer over the same vision encoder."""
    torch.manual_seed(0)
    name, database = saved_llava(llava(), tmp_path / "llava"), tmp_path / "names.db"
    concepts = write_colour_folder(tmp_path / "squares")
    colour_square("red").save(tmp_path / "red.png")
    built = ["build", "--network", name, "--concepts", concepts, "--db", database, "--draws", "0", "--min-images", "1"]
    status, _, error = run(*built)
    assert status == 0, error
    status, said, error = run(*built, "--question", QUESTIONS[1])
    assert status == 0, error
    assert "Nothing to do" in said
    for question, answer, word in (("what is it?", "a redish cat", "redish"), ("is it a red cat?", "red", "red")):
        asked = ["explain", tmp_path / "red.png", "--db", database, "--question", question]
        status, said, error = run(*asked, "--answer", answer, "--word", word, "--json")
        assert status == 0, error
        (explained,) = json.loads(said)
        assert explained["caption"] == answer
        (reason,) = [entry["explanation"] for entry in explained["words"] if entry["explanation"]]
        assert reason["target"]["label"] == word
    status, said, error = run("explain", tmp_path / "red.png", "--db", database, "--words")
    assert status == 2
    assert "llava writes answers to questions; ask it one: --question, or Network.asked" in error


class TestRefused:
    """Each in one line."""

    def refusal(self, name: str) -> str:
        with pytest.raises((NetworkError, LayerNotFoundError)) as caught:
            open_network(name)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize(
        ("template", "reason"),
        [
            ("USER: {{ messages[0]['content'][1]['text'] }}", "a prompt without one place for the image"),
            ("<image><image> {{ messages[0]['content'][1]['text'] }}", "a prompt without one place for the image"),
            ("{{ raise_exception('no users') }}", "takes no question about an image (no users)"),
            ("<image> hello", "a prompt without one place for the image (<image>) before the question"),
        ],
    )
    def test_a_template_without_place_for_the_image_or_the_question(
        self, tmp_path: Path, template: str, reason: str
    ) -> None:
        assert reason in self.refusal(saved_llava(llava(), tmp_path, template=template))

    def test_a_question_with_the_token_of_the_image(self, tmp_path: Path) -> None:
        """Tokenizers of older repositories do not mark it as special."""
        network = open_network(saved_llava(llava(), tmp_path, tokenizer=vicuna(is_marked=False)))
        assert network.asked(QUESTIONS[0]).captions(images(1))
        with pytest.raises(NetworkError, match=r"the question .* holds <image>, in whose place an image is read"):
            network.asked("is <image> red?")

    def test_a_tokenizer_without_the_token_of_the_image(self, tmp_path: Path) -> None:
        assert "has no token 5, in whose place the image is read" in self.refusal(
            saved_llava(llava(image_token_index=5), tmp_path)
        )

    def test_a_vision_encoder_that_needs_more_than_an_image(self, tmp_path: Path) -> None:
        """Pixtral is told the images' sizes, since it takes them in any."""
        module = llava(vision=hf.PixtralVisionConfig(**{**VISION, "num_hidden_layers": 2}))
        assert "does not take images alone, one beside the other; give another network" in self.refusal(
            saved_llava(module, tmp_path)
        )

    def test_an_image_processor_with_other_steps(self, tmp_path: Path) -> None:
        name = saved_llava(llava(), tmp_path)
        settings = json.loads((tmp_path / "processor_config.json").read_text())
        settings["image_processor"]["do_pad"] = True
        (tmp_path / "processor_config.json").write_text(json.dumps(settings))
        assert "does more than resize, crop, rescale and normalise photographs (do_pad)" in self.refusal(name)

    def test_a_layer_that_the_answer_is_not_computed_from(self, tmp_path: Path) -> None:
        """A later layer of the vision encoder runs, but LLaVA takes an earlier one."""
        name = saved_llava(llava(), tmp_path)
        with pytest.raises(NotConnectedError, match=rf"layer '{TOWER}.3'"):
            open_network(name, layer=f"{TOWER}.3")
