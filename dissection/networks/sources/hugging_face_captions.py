"""Captioners of transformers: what they say of images, and how likely they find a caption.

Where a captioner looks is dissected in its vision encoder, whose last map of patches all later words look at. The layer
is the last one that runs once and of which the data flow shows where the patches lie: BLIP's ``post_layernorm`` runs
again for the class token.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.layers import Layers
from dissection.networks.network import Network
from dissection.networks.recording import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int64
    from torch import Tensor, nn

    from dissection.networks.preprocessing import Preprocessing

_MOST_TOKENS = 30


@dataclass(frozen=True, slots=True)
class _Architecture:
    """A class of captioners.

    Attributes:
        vision: name of the module that sees the image.
        text: the argument of the module's ``forward`` that takes the text.
        begin: settings that name the token that a caption begins with; the first one that is set.
        end: the setting that names the tokens that end one.
    """

    vision: str
    text: str = "input_ids"
    begin: tuple[str, ...] = ("bos_token_id",)
    end: str = "eos_token_id"


CAPTIONERS = {
    "BlipForConditionalGeneration": _Architecture("vision_model", end="sep_token_id"),
    "GitForCausalLM": _Architecture("git.image_encoder"),
    "VisionEncoderDecoderModel": _Architecture(
        "encoder", "decoder_input_ids", ("decoder_start_token_id", "bos_token_id")
    ),
}
"""By their class's name."""
_OF_TYPE = {
    "blip": "BlipForConditionalGeneration",
    "git": "GitForCausalLM",
    "vision-encoder-decoder": "VisionEncoderDecoderModel",
    "vilt": "ViltForQuestionAnswering",
}
"""The class of a network whose configuration names only its type."""
_REFUSED = {
    "BlipForQuestionAnswering": "writes its answer to a question word by word, and only captions are read that way; "
    "give a captioner such as hf/Salesforce/blip-image-captioning-base, or wrap it with Network.of_answers",
    "ViltForQuestionAnswering": "draws the order of its patches anew in each run, so its maps have no place in the "
    "image; give another network",
}


def captioner_class(config: Any, name: str) -> str:  # noqa: ANN401 -- transformers
    """The class of the captioner that a configuration describes; empty if that is none.

    Raises:
        NetworkError: if it describes a network of images and text that is none of these.
    """
    stated = list(getattr(config, "architectures", None) or [])
    architecture = str(stated[0]) if stated else _OF_TYPE.get(config.model_type, "")
    if architecture in _REFUSED:
        raise NetworkError(f"{name} ({architecture}) {_REFUSED[architecture]}")
    if getattr(config, "num_image_with_embedding", None):
        raise NetworkError(f"{name} ({architecture}) describes videos; give a network that takes one image")
    return architecture if architecture in CAPTIONERS else ""


def captioner(module: Any, tokenizer: Any, preprocessing: Preprocessing, name: str) -> Network:  # noqa: ANN401 -- transformers
    """A captioner of transformers with its tokenizer, ready to be dissected.

    Raises:
        LayerNotFoundError: if its vision encoder has no map that can be placed in the image.
        NetworkError: if it cannot run on an image.
    """
    architecture = CAPTIONERS[type(module).__name__]
    module.eval()
    config = module.config.get_text_config(decoder=True)
    words = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
    if not words or max(words) >= config.vocab_size:
        raise NetworkError(
            f"the tokenizer of {name} has {len(words)} words, and the network {config.vocab_size} tokens; fetch the "
            "tokenizer's files that belong to it"
        )
    text = _Text(tokenizer, name, config.max_position_embeddings)
    (begin, *_), ends = _tokens(module, *architecture.begin), _tokens(module, architecture.end)
    (padding, *_) = _tokens(module, "pad_token_id", architecture.end)
    writer = _Writer(architecture.text, begin, frozenset(ends))
    settings = _greedy(begin, ends, padding, most=min(_MOST_TOKENS, text.most - 1))
    for part in module.modules():
        if hasattr(part, "generation_config"):
            part.generation_config = settings
    return Network.of_captions(
        module,
        layer=f"{architecture.vision}.{_last_map(module.get_submodule(architecture.vision), preprocessing, name)}",
        generate=writer.generate,
        log_probabilities=writer.logits,
        tokenizer=text,
        preprocessing=preprocessing,
        name=name,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A tokenizer of transformers, which refuses what is no text of the network's.

    Attributes:
        tokenizer: that of transformers.
        name: the network's name.
        most: how many tokens the network can read, the one of the beginning among them.
    """

    tokenizer: Any
    name: str
    most: int

    def encode(self, text: str, /) -> list[int]:
        """The tokens of a text, without those of its beginning and end.

        Raises:
            NetworkError: if a word is unknown, or there are too many.
        """
        tokens = self._tokens(text)
        if len(tokens) >= self.most:
            raise NetworkError(
                f"the caption has {len(tokens)} tokens, and {self.name} reads at most {self.most - 1}; shorten it"
            )
        special = set(self.tokenizer.all_special_ids)
        if special & set(tokens):
            odd = next((word for word in text.split() if special & set(self._tokens(word))), text)
            raise NetworkError(f"{self.name} does not know {odd!r}; say it in words that it knows")
        return tokens

    def decode(self, tokens: Sequence[int], /) -> str:
        """The text of some tokens, without special ones."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.strip()

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


@dataclass(frozen=True, slots=True)
class _Writer:
    """How a captioner is run.

    Attributes:
        text: the argument that takes the text.
        begin: the token that a caption begins with.
        ends: the tokens that end one.
    """

    text: str
    begin: int
    ends: frozenset[int]

    def generate(self, module: Any, images: Float[Tensor, "images channels H W"]) -> list[list[int]]:  # noqa: ANN401 -- transformers
        """The likeliest token after each other, see :func:`_greedy`."""
        written = module.generate(pixel_values=images).tolist()
        return [list(takewhile(lambda token: token not in self.ends, row[1:])) for row in written]

    def logits(
        self,
        module: nn.Module,
        images: Float[Tensor, "images channels H W"],
        tokens: Int64[Tensor, " tokens"],
    ) -> Float[Tensor, "images tokens words"]:
        """The scores of all words in the place of each token, given those before it; an image's tokens come first."""
        before = torch.cat([tokens.new_tensor([self.begin]), tokens[:-1]]).expand(len(images), -1)
        scores: Tensor = module(pixel_values=images, **{self.text: before}, use_cache=False).logits
        return scores[:, -len(tokens) :]


def _greedy(begin: int, ends: list[int], padding: int, *, most: int) -> Any:  # noqa: ANN401 -- transformers
    """Settings that let a captioner write the likeliest token after each other, at least one, whatever its own say."""
    import transformers  # noqa: PLC0415 -- an extra

    hub: Any = transformers
    return hub.GenerationConfig(
        do_sample=False,
        num_beams=1,
        min_new_tokens=1,
        max_new_tokens=most,
        bos_token_id=begin,
        decoder_start_token_id=begin,
        eos_token_id=ends,
        pad_token_id=padding,
    )


def _tokens(module: Any, *settings: str) -> list[int]:  # noqa: ANN401 -- transformers
    """The tokens that the first of these settings names, where the network's own ``generate`` looks for it.

    Raises:
        NetworkError: if none is set.
    """
    configs = module.generation_config, module.config, module.config.get_text_config(decoder=True)
    for setting in settings:
        for config in configs:
            if (token := getattr(config, setting, None)) is not None:
                return list(map(int, token)) if isinstance(token, list) else [int(token)]
    raise NetworkError(f"{type(module).__name__} has no {settings[0]}, by which captions are told apart; set it")


def _last_map(vision: nn.Module, preprocessing: Preprocessing, name: str) -> str:
    """The last layer of a vision encoder that holds the image's patches where the data flow shows them."""
    layers = Layers(record(vision, preprocessing))
    maps = [feature_map.layer for feature_map in layers.maps()]
    placed = [layer.name for layer, layout in zip(maps, layers.layouts(maps).values(), strict=True) if layout]
    if not placed:
        raise LayerNotFoundError(f"the vision encoder of {name} has no map whose place in the image can be told")
    return placed[-1]
