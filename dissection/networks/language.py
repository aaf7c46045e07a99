"""Networks that answer questions about images, and networks that write captions (Selvaraju et al. 2019, Sec. 8).

With a question, an answerer is a classifier whose classes are its answers. With a caption, a captioner is one too: its
classes are the words of the caption, in order, and the score of a word is its log-odds given the words before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from dissection.errors import CaptionError, NetworkError, UnknownWordError

from .called import Called
from .heads import described
from .precision import widened
from .replay import UnrepeatableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float, Int64

_UNSPELT = "something else"
"""What a token says that spells nothing by itself, such as that of the end."""

Encode: TypeAlias = Callable[[str], object]
Generate: TypeAlias = Callable[[Any, Tensor], Sequence[Sequence[int]]]
LogProbabilities: TypeAlias = Callable[[Any, Tensor, Tensor], object]
"""The first argument is the module that was given beside the function, whatever its class."""


class Tokenizer(Protocol):
    """Turns text into numbers of tokens and back; those of ``transformers`` do."""

    def encode(self, text: str, /) -> Sequence[int]:
        """The tokens of a text, without tokens for its beginning and end."""
        ...

    def decode(self, tokens: Sequence[int], /) -> str:
        """The text of some tokens."""
        ...


class Vocabulary:
    """A tokenizer of whole words.

    Args:
        words: the words by their number.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        numbers = list(enumerate(self._words))
        self._numbers = {word.casefold(): number for number, word in reversed(numbers)}
        self._numbers |= {word: number for number, word in numbers}

    def encode(self, text: str, /) -> list[int]:
        """The numbers of the words of a text, which spaces part, as they are written or else in any case.

        Raises:
            UnknownWordError: if a word is unknown.
        """
        numbers = [self._numbers.get(word, self._numbers.get(word.casefold())) for word in text.split()]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            word = text.split()[numbers.index(None)]
            raise UnknownWordError(
                f"the network does not know the word {word!r}; use one of the {len(self._words)} that it knows"
            )
        return known

    def decode(self, tokens: Sequence[int], /) -> str:
        """The words of these numbers."""
        return " ".join(self._words[token] for token in tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Answering:
    """How a module is asked.

    Attributes:
        module: takes images and what ``encode`` makes of a question, and gives scores ``(images, answers)``.
        encode: a question as one or several tensors, whose first axis has the length 1.
        answers: the answers by index.
    """

    module: nn.Module
    encode: Encode
    answers: tuple[str, ...]

    def asked(self, question: str) -> Called:
        """The module with this question.

        Raises:
            NetworkError: if ``encode`` fails, or gives something else than such tensors.
        """
        with _told("encode", f"on the question {question!r}"):
            encoded = self.encode(question)
        given = encoded if isinstance(encoded, tuple) else (encoded,)
        values = tuple(value for value in given if isinstance(value, Tensor) and value.ndim and len(value) == 1)
        if len(values) < len(given):
            kinds = ", ".join(map(described, given))
            raise NetworkError(f"encode makes {kinds} of a question; tensors whose first axis is 1 are needed")
        return Called(_Question(self.module, values))


@dataclass(frozen=True, slots=True)
class Rival:
    """What a captioner would rather say, or says anyway, in a place of a caption.

    Attributes:
        text: a word, or the first token of one; "something else" if that spells nothing, as the end does.
        log_probability: how likely it is, given the words before it.
    """

    text: str
    log_probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Captioning:
    """How a module writes, and how likely it finds what is written.

    Attributes:
        module: the captioner.
        generate: given the module and images, the tokens of a caption for each, without those for beginning and end.
        log_probabilities: given the module, images and the tokens of one caption, ``(images, tokens, words)``: how
            likely each token is in the place of each of the caption's, given those before it. Logits do as well.
        tokenizer: turns captions into tokens and back.
    """

    module: nn.Module
    generate: Generate
    log_probabilities: LogProbabilities
    tokenizer: Tokenizer

    def written(self, images: Float[Tensor, "images channels H W"]) -> list[list[int]]:
        """The tokens of the captions that the module writes.

        Raises:
            NetworkError: if it fails, or does not write one for each image.
        """
        with _told("generate", "while it writes"):
            captions = [[int(token) for token in caption] for caption in self.generate(self.module, images)]
        if len(captions) != len(images):
            raise NetworkError(
                f"images given to generate: {len(images)}, captions that it gives: {len(captions)}; one for each is "
                "needed"
            )
        return captions

    def tokens(self, caption: str) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        """The words of a caption, and the tokens of each.

        Raises:
            CaptionError: if it has no words, or its tokens do not spell it.
            NetworkError: if the tokenizer fails.
        """
        with _told("the tokenizer", f"on the caption {caption!r}"):
            tokens = [int(token) for token in self.tokenizer.encode(caption)]
            words = tuple(self.tokenizer.decode(tokens).split())
        if not words:
            raise CaptionError(f"the caption {caption!r} has no words; give one that has")
        ends = [end for end in range(1, len(tokens) + 1) if self._parts_words(tokens, end, words)]
        if len(ends) != len(words):
            raise CaptionError(
                f"the tokens of the caption {caption!r} do not spell it word by word; give words that spaces part"
            )
        return words, tuple(tuple(tokens[start:end]) for start, end in pairwise([0, *ends]))

    def _parts_words(self, tokens: Sequence[int], end: int, words: tuple[str, ...]) -> bool:
        """Whether a word ends with the token before this one: what is on either side spells the words just as well."""
        before, after = (self.tokenizer.decode(part).split() if part else [] for part in (tokens[:end], tokens[end:]))
        return (*before, *after) == words

    def rivals(
        self, images: Float[Tensor, "images channels H W"], of_words: Sequence[Sequence[int]]
    ) -> list[list[Rival]]:
        """For each image, what the module finds most likely in the place of each word, given the words before it.

        Of a word of several tokens, the first is compared.
        """
        tokens = torch.tensor([token for word in of_words for token in word], device=images.device)
        logs = _judged(self.log_probabilities, self.module, images, tokens).log_softmax(-1)
        starts = accumulate((len(word) for word in of_words[:-1]), initial=0)
        best = logs[:, list(starts)].max(2)
        return [
            [Rival(self._spelt(token), log) for token, log in zip(of_image, values, strict=True)]
            for of_image, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _spelt(self, token: int) -> str:
        return self.tokenizer.decode([token]).strip() or _UNSPELT

    def judging(self, of_words: Sequence[Sequence[int]]) -> Called:
        """The module, giving the log-odds of each word of a caption: ``(images, words)``."""
        return Called(_Caption(self.module, self.log_probabilities, tuple(map(tuple, of_words))))


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    module: nn.Module
    values: tuple[Tensor, ...]

    def __call__(self, images: Float[Tensor, "images channels H W"]) -> object:
        count = len(images)
        return self.module(images, *(value.to(images.device).expand(count, *value.shape[1:]) for value in self.values))


@dataclass(frozen=True, slots=True, eq=False)
class _Caption:
    module: nn.Module
    log_probabilities: LogProbabilities
    of_words: tuple[tuple[int, ...], ...]

    def __call__(self, images: Float[Tensor, "images channels H W"]) -> Float[Tensor, "images words"]:
        tokens = torch.tensor([token for word in self.of_words for token in word], device=images.device)
        given = _judged(self.log_probabilities, self.module, images, tokens)
        likely, unlikely = token_log_probabilities(given, tokens)
        lengths = [len(word) for word in self.of_words]
        words = zip(likely.split_with_sizes(lengths, 1), unlikely.split_with_sizes(lengths, 1), strict=True)
        return torch.stack([_log_odds(said, unsaid) for said, unsaid in words], 1)


@contextmanager
def _told(who: str, on: str) -> Iterator[None]:
    """Say of an error in somebody's function whose it is."""
    try:
        yield
    except (NetworkError, UnrepeatableError):  # the second is how a head that cannot run again says so
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise NetworkError(
            f"{who} of the network fails {on} ({type(error).__name__}: {reason}); correct that function"
        ) from error


def _judged(
    log_probabilities: LogProbabilities,
    module: nn.Module,
    images: Float[Tensor, "images channels H W"],
    tokens: Int64[Tensor, " tokens"],
) -> Float[Tensor, "images tokens words"]:
    """What a user's function says of a caption.

    Raises:
        NetworkError: if it fails, or gives something of another shape.
    """
    shape = len(images), len(tokens)
    on = f"on {_count(len(images), 'image')} at once and a caption of {_count(len(tokens), 'token')}"
    with _told("log_probabilities", on):
        judged = log_probabilities(module, images, tokens)
    if isinstance(judged, Tensor) and judged.ndim == 3 and judged.shape[:2] == shape:
        return widened(judged)
    raise NetworkError(
        f"log_probabilities gives {described(judged)}; ({len(images)}, {len(tokens)}, words) is needed: one row for "
        "each image and token of the caption"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def token_log_probabilities(
    logits: Float[Tensor, "images tokens words"], tokens: Int64[Tensor, " tokens"]
) -> tuple[Float[Tensor, "images tokens"], Float[Tensor, "images tokens"]]:
    """The logarithms of the probability that a token is the caption's, and that it is any other.

    The second is a sum over the others, since 1 less a probability near 1 is nothing in single precision.
    """
    logs = logits.log_softmax(-1)
    of_tokens = tokens.expand(len(logs), -1)[:, :, None]
    others = logs.scatter(2, of_tokens, float("-inf"))
    return logs.gather(2, of_tokens)[:, :, 0], others.logsumexp(2)


def _log_odds(
    likely: Float[Tensor, "images tokens"], unlikely: Float[Tensor, "images tokens"]
) -> Float[Tensor, " images"]:
    """Log-odds of a word of several tokens: it is not said if a first token is another one, or else a second, ..."""
    said, unsaid = likely[:, 0], unlikely[:, 0]
    for token in range(1, likely.shape[1]):
        unsaid = torch.logaddexp(unsaid, said + unlikely[:, token])
        said = said + likely[:, token]
    return said - unsaid
