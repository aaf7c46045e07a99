"""Captioners of transformers: what they say of images, and how likely they find a caption."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from dissection.networks.language import Captioning
from dissection.networks.network import Network

from .hugging_face_writing import Text, last_map, require_belonging, text_config, tokens_named, write_greedily

if TYPE_CHECKING:
    from jaxtyping import Float, Int64
    from torch import Tensor, nn

    from dissection.networks.preprocessing import Preprocessing


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


def captioner(module: Any, tokenizer: Any, preprocessing: Preprocessing, name: str) -> Network:  # noqa: ANN401 -- transformers
    """A captioner of transformers with its tokenizer, ready to be dissected.

    Raises:
        LayerNotFoundError: if its vision encoder has no map that can be placed in the image.
        NetworkError: if it cannot run on an image.
    """
    architecture = CAPTIONERS[type(module).__name__]
    module.eval()
    words = require_belonging(tokenizer, module, name)
    text = Text(tokenizer, name, text_config(module).max_position_embeddings)
    (begin, *_), ends = tokens_named(module, *architecture.begin), tokens_named(module, architecture.end)
    (padding, *_) = tokens_named(module, "pad_token_id", architecture.end)
    write_greedily(module, begin=begin, ends=ends, padding=padding, most=text.most - 1)
    writer = _Writer(architecture.text, begin, frozenset(ends))
    captioning = Captioning(module, writer.generate, writer.logits, text)
    return Network.of_captions(
        module,
        layer=last_map(captioning, min(words), architecture.vision, preprocessing, name),
        generate=writer.generate,
        log_probabilities=writer.logits,
        tokenizer=text,
        preprocessing=preprocessing,
        name=name,
    )


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
        """The likeliest token after each other."""
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
