"""What the captioners and answerers of transformers have in common: their tokens, how they write, and their layer.

Where such a network looks is dissected in its vision encoder, whose last map of patches all words look at. The layer is
the last one that runs once, that the words are computed from, and of which the data flow shows where the patches lie.
BLIP's ``post_layernorm`` runs again for the class token; LLaVA's words come from a layer before the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.graphs import reached
from dissection.networks.layers import Layers
from dissection.networks.recording import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.networks.language import Captioning
    from dissection.networks.preprocessing import Preprocessing

MOST_TOKENS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A tokenizer of transformers, which refuses what is no text of the network's.

    Attributes:
        tokenizer: that of transformers.
        name: the network's name.
        most: how many tokens the network can read, the one of the beginning among them.
        kind: what the text is.
        before: what always stands before it; it decides whether the first word begins with a space.
    """

    tokenizer: Any
    name: str
    most: int
    kind: str = "caption"
    before: str = ""

    def encode(self, text: str, /) -> list[int]:
        """The tokens of a text, without those of its beginning and end.

        Raises:
            NetworkError: if a word is unknown, or there are too many.
        """
        tokens = self._after_what_is_before(text)
        if len(tokens) >= self.most:
            raise NetworkError(
                f"the {self.kind} has {len(tokens)} tokens, and {self.name} reads at most {self.most - 1}; shorten it"
            )
        special = special_tokens(self.tokenizer)
        if special & set(tokens):
            odd = next((word for word in text.split() if special & set(self._tokens(word))), text)
            raise NetworkError(f"{self.name} does not know {odd!r}; say it in words that it knows")
        return tokens

    def decode(self, tokens: Sequence[int], /) -> str:
        """The text of some tokens, without special ones."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.strip()

    def _after_what_is_before(self, text: str) -> list[int]:
        said = self.before.rstrip(" ")
        before = self._tokens(said) if said else []
        tokens = self._tokens(f"{said}{'' if said[-1:].isspace() or not said else ' '}{text}")
        if tokens[: len(before)] != before:
            raise NetworkError(
                f"the tokenizer of {self.name} draws the {self.kind} {text!r} together with what stands before it; "
                "give other words"
            )
        return tokens[len(before) :]

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


def special_tokens(tokenizer: Any) -> set[int]:  # noqa: ANN401 -- transformers
    """The tokens that are none of any text's: marks of beginning and end, and what stands for an image."""
    marked = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return marked | set(tokenizer.all_special_ids)


def require_belonging(tokenizer: Any, module: Any, name: str) -> set[int]:  # noqa: ANN401 -- transformers
    """The tokens of words.

    Raises:
        NetworkError: if the tokenizer is not the network's.
    """
    words, count = set(tokenizer.get_vocab().values()) - special_tokens(tokenizer), text_config(module).vocab_size
    if not words or max(words) >= count:
        raise NetworkError(
            f"the tokenizer of {name} has {len(words)} words, and the network {count} tokens; fetch the tokenizer's "
            "files that belong to it"
        )
    return words


def text_config(module: Any) -> Any:  # noqa: ANN401 -- transformers
    """The settings of the part that writes."""
    return module.config.get_text_config(decoder=True)


def write_greedily(module: Any, *, begin: int | None, ends: Sequence[int], padding: int, most: int) -> None:  # noqa: ANN401 -- transformers
    """Let a network write the likeliest token after each other, at least one, whatever its own settings say."""
    import transformers  # noqa: PLC0415 -- an extra

    hub: Any = transformers
    settings = hub.GenerationConfig(
        do_sample=False,
        num_beams=1,
        min_new_tokens=1,
        max_new_tokens=min(MOST_TOKENS, most),
        bos_token_id=begin,
        decoder_start_token_id=begin,
        eos_token_id=list(ends),
        pad_token_id=padding,
    )
    for part in module.modules():
        if hasattr(part, "generation_config"):
            part.generation_config = settings


def tokens_named(module: Any, *settings: str) -> list[int]:  # noqa: ANN401 -- transformers
    """The tokens that the first of these settings names, where the network's own ``generate`` looks for it.

    Raises:
        NetworkError: if none is set.
    """
    configs = module.generation_config, module.config, text_config(module)
    for setting in settings:
        for config in configs:
            if (token := getattr(config, setting, None)) is not None:
                return list(map(int, token)) if isinstance(token, list) else [int(token)]
    raise NetworkError(f"{type(module).__name__} has no {settings[0]}, by which captions are told apart; set it")


def last_map(writer: Captioning, token: int, vision: str, preprocessing: Preprocessing, name: str) -> str:
    """The last layer of a vision encoder that words come from and that holds the image's patches where it is known.

    Args:
        writer: the network, with its question if it is asked one.
        token: any token that it knows.
        vision: name of the vision encoder.
        preprocessing: what the network expects of a photograph.
        name: the network's name.

    Raises:
        LayerNotFoundError: if there is none.
    """
    recording = record(writer.judging([[token]]), preprocessing)
    layers = Layers(recording)
    used = reached([recording.score] if recording.score else [], lambda value: value.parents)
    outputs = {call.name: call.output for call in recording.calls}
    seen = [one.layer for one in layers.maps() if one.layer.name.startswith(f"{vision}.")]
    maps = [layer for layer in seen if outputs[layer.name] in used]
    placed = [layer.name for layer, layout in zip(maps, layers.layouts(maps).values(), strict=True) if layout]
    if not placed:
        raise LayerNotFoundError(
            f"the vision encoder of {name} has no map whose place in the image can be told; give another model"
        )
    return placed[-1]
