"""Networks that write their answers to questions, word by word: with a question, such a network is a captioner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn

from dissection.errors import NetworkError

from .language import Captioning

if TYPE_CHECKING:
    from .language import Tokenizer

GenerateAnswers: TypeAlias = Callable[[Any, Tensor, str], Sequence[Sequence[int]]]
AnswerLogProbabilities: TypeAlias = Callable[[Any, Tensor, str, Tensor], object]
"""The first argument is the module that was given beside the function, whatever its class."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerWriting:
    """How a module writes its answers.

    Attributes:
        module: the network.
        generate: given the module, images and a question, the tokens of an answer for each image, without those for
            beginning and end.
        log_probabilities: given the module, images, a question and the tokens of one answer, ``(images, tokens,
            words)``: how likely each token is in the place of each of the answer's, given those before it. Logits do as
            well.
        tokenizer: turns answers into tokens and back.
        question: what it is asked; empty until it is asked.
        sample: the words of any answer as tokens, judged where it does not matter which.
    """

    module: nn.Module
    generate: GenerateAnswers
    log_probabilities: AnswerLogProbabilities
    tokenizer: Tokenizer
    question: str = ""
    sample: tuple[tuple[int, ...], ...] = ()

    def asked(self, question: str) -> AnswerWriting:
        """The same with a question.

        Raises:
            NetworkError: if it is empty.
        """
        if not question.strip():
            raise NetworkError(f"the question {question!r} has no words; ask one that has")
        return replace(self, question=question)

    @property
    def captioning(self) -> Captioning:
        """How it writes its answer to the question, in the way of a caption."""
        question = self.question
        return Captioning(
            self.module,
            lambda module, images: self.generate(module, images, question),
            lambda module, images, tokens: self.log_probabilities(module, images, question, tokens),
            self.tokenizer,
        )
