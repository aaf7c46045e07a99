"""A network as this project uses it: a classifier, or one that answers questions or writes captions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch

from dissection.errors import ActivationError, NetworkError

from .answer_writing import AnswerWriting
from .heads import Head
from .isolation import tried, undisturbed
from .language import Answering, Captioning, Vocabulary
from .network_arguments import input_of, require_module
from .recording import in_type_of, noise
from .tap import Tap
from .tapped import TappedNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor, nn

    from .answer_writing import AnswerLogProbabilities, GenerateAnswers
    from .foreign_preprocessing import PreprocessingLike
    from .language import Encode, Generate, LogProbabilities, Rival, Tokenizer
    from .preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class Network(TappedNetwork):
    """A classifier, or a network that answers or writes, ready to be dissected and explained.

    With a question or a caption, a network that answers or writes is a classifier too, see :meth:`asked` and
    :meth:`saying`; other attributes are those of :class:`TappedNetwork`.

    Attributes:
        language: how it is asked, or writes, if it answers questions or writes captions.
        prompt: the question that it is asked, or the caption whose words are its classes; empty if there is none.
    """

    language: Answering | AnswerWriting | Captioning | None = None
    prompt: str = ""

    @classmethod
    def of_answers(
        cls,
        module: nn.Module,
        *,
        layer: str,
        encode: Encode,
        answers: Sequence[str],
        question: str = "what is it ?",
        preprocessing: PreprocessingLike | None = None,
        name: str = "",
    ) -> Self:
        """A network from a module that answers questions about images, see :meth:`asked`.

        Args:
            module: takes images and what ``encode`` makes of a question; gives scores ``(images, answers)``.
            layer: the layer to dissect.
            encode: a question as one or several tensors, whose first axis has the length 1.
            answers: the answers by index.
            question: any question that it understands; it is asked while the layer is looked for and named.
            preprocessing: how a photograph becomes its input.
            name: name of the architecture, for people.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run on one image with the question, or answers differently each time.
        """
        require_module(module)
        language = Answering(module, encode, tuple(answers))
        expected, name = input_of(module, preprocessing, name)
        network = cls.of_any_output(language.asked(question), layer=layer, preprocessing=expected, name=name)
        return replace(network, language=language)

    @classmethod
    def of_captions(
        cls,
        module: nn.Module,
        *,
        layer: str,
        generate: Generate,
        log_probabilities: LogProbabilities,
        tokenizer: Tokenizer | Sequence[str],
        caption: str = "",
        preprocessing: PreprocessingLike | None = None,
        name: str = "",
    ) -> Self:
        """A network from a module that writes captions, see :meth:`captions` and :meth:`saying`.

        Args:
            module: the captioner.
            layer: the layer to dissect.
            generate: ``generate(module, images)`` gives the tokens of a caption for each image.
            log_probabilities: ``log_probabilities(module, images, tokens)`` gives, for the tokens of one caption,
                ``(images, tokens, words)``: log-probabilities, or logits, of every word in the place of each token,
                given the image and the tokens before it.
            tokenizer: turns a caption into tokens and back; or the words by number, if tokens are words.
            caption: any caption, which is judged while the layer is looked for and named; by default what the module
                writes of an image of noise.
            preprocessing: how a photograph becomes its input.
            name: name of the architecture, for people.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module writes nothing of an image of noise, or something else each time.
        """
        require_module(module)
        language = Captioning(module, generate, log_probabilities, _tokenizer(tokenizer))
        expected, name = input_of(module, preprocessing, name)
        judge = language.judging(_words(language, caption, "caption", expected, name))
        return replace(cls.of_any_output(judge, layer=layer, preprocessing=expected, name=name), language=language)

    @classmethod
    def of_written_answers(  # noqa: PLR0913 -- the arguments of of_captions, and a question
        cls,
        module: nn.Module,
        *,
        layer: str,
        generate: GenerateAnswers,
        log_probabilities: AnswerLogProbabilities,
        tokenizer: Tokenizer | Sequence[str],
        question: str = "what is it ?",
        answer: str = "",
        preprocessing: PreprocessingLike | None = None,
        name: str = "",
    ) -> Self:
        """A network from a module that writes its answers to questions about images.

        With a question, see :meth:`asked`, it is explained as a captioner is: its caption is the answer.

        Args:
            module: the network.
            layer: the layer to dissect.
            generate: ``generate(module, images, question)`` gives the tokens of an answer for each image.
            log_probabilities: ``log_probabilities(module, images, question, tokens)`` gives, for the tokens of one
                answer, ``(images, tokens, words)``: log-probabilities, or logits, of every word in the place of each
                token, given the image, the question and the tokens before it.
            tokenizer: turns an answer into tokens and back; or the words by number, if tokens are words.
            question: any question that it understands; it is asked while the layer is looked for and named.
            answer: any answer, which is judged meanwhile; by default what the module writes of an image of noise.
            preprocessing: how a photograph becomes its input.
            name: name of the architecture, for people.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module writes nothing of an image of noise, or something else each time.
        """
        require_module(module)
        language = AnswerWriting(module, generate, log_probabilities, _tokenizer(tokenizer))
        writer = language.asked(question).captioning
        expected, name = input_of(module, preprocessing, name)
        sample = _words(writer, answer, "answer", expected, name)
        network = cls.of_any_output(writer.judging(sample), layer=layer, preprocessing=expected, name=name)
        return replace(network, language=replace(language, sample=sample))

    def asked(self, question: str) -> Network:
        """The same network with a question.

        It is a classifier of images by its answers; or, if it writes them, a captioner whose captions are its answers.

        Raises:
            NetworkError: if it answers no questions, or does not understand this one.
        """
        match self.language:
            case Answering() as language:
                asked = replace(self, module=language.asked(question), classes=language.answers, prompt=question)
            case AnswerWriting() as language:
                writing = language.asked(question)
                module = writing.captioning.judging(writing.sample)
                asked = replace(self, module=module, language=writing, prompt=question)
            case _:
                raise NetworkError(f"{self.name} answers no questions; make one that does with Network.of_answers")
        return _placed_anew(asked)

    def saying(self, caption: str) -> Network:
        """The same network as a judge of a caption: its classes are the words, its scores their log-odds.

        The log-odds of a word are those given the image and the words before it; a word's probability is their sigmoid.

        Raises:
            NetworkError: if it writes no captions, or does not know a word.
        """
        language = self.require_captions()
        words, tokens = language.tokens(caption)
        head = Head(independent=True)
        judge = replace(self, module=language.judging(tokens), classes=words, head=head, prompt=" ".join(words))
        return _placed_anew(judge)

    def captions(self, images: Float[Tensor, "images channels H W"]) -> list[str]:
        """The captions that the network writes for images, which are preprocessed.

        Raises:
            NetworkError: if it writes no captions.
        """
        language = self.require_captions()
        with undisturbed(language.module), torch.no_grad():
            captions = language.written(in_type_of(language.module, images))
        return [language.tokenizer.decode(tokens) for tokens in captions]

    def rivals(self, images: Float[Tensor, "images channels H W"], caption: str) -> list[list[Rival]]:
        """What the network would rather say of each image, in the place of each word of a caption.

        Raises:
            NetworkError: if it writes no captions, or does not know a word.
        """
        language = self.require_captions()
        with undisturbed(language.module), torch.no_grad():
            return language.rivals(in_type_of(language.module, images), language.tokens(caption)[1])

    def require_answers(self) -> Answering:
        """How it is asked.

        Raises:
            NetworkError: if it does not choose among answers to questions.
        """
        if not isinstance(self.language, Answering):
            raise NetworkError(f"{self.name} answers no questions; make one that does with Network.of_answers")
        return self.language

    def require_captions(self) -> Captioning:
        """How it writes.

        Raises:
            NetworkError: if it writes no captions, or was not asked what it answers.
        """
        match self.language:
            case Captioning() as language:
                return language
            case AnswerWriting(question=""):
                raise NetworkError(f"{self.name} writes answers to questions; ask it one: --question, or Network.asked")
            case AnswerWriting() as language:
                return language.captioning
        raise NetworkError(f"{self.name} writes no captions; make one that does with Network.of_captions")

    def copied(self) -> Self:
        """The same network with weights of its own: what is done to them leaves this one as it is."""
        module, language = copy.deepcopy((self.module, self.language))  # together, since they share weights
        return replace(self, module=module, language=language, body="")

    def _what_it_can_say(self) -> Iterator[str]:
        if isinstance(self.language, Answering):
            yield str(self.language.answers)
        if self.prompt:
            yield self.prompt


def _words(
    writer: Captioning, text: str, argument: str, preprocessing: Preprocessing, name: str
) -> tuple[tuple[int, ...], ...]:
    """The words of a text as tokens; or what a writer says of an image of noise, as one."""
    if text:
        return writer.tokens(text)[1]
    with tried(writer.module):
        written = tuple(tuple(tokens) for tokens in writer.written(noise(writer.module, preprocessing)) if tokens)
    if not written:
        raise NetworkError(
            f"{name} writes nothing of an image of noise; give any {argument} that it knows with {argument}="
        )
    return written


def _placed_anew(network: Network) -> Network:
    """The same network, whose layer may hold more tokens or fewer beside its map than with another text.

    Its body is known by what was seen when it was opened.
    """
    try:
        with tried(network.module), Tap(network.module, network.layer, network.layout):
            network.module(noise(network.module, network.preprocessing))
    except ActivationError:
        return replace(network.at(network.layer.name), body=network.body)
    return network


def _tokenizer(tokenizer: Tokenizer | Sequence[str]) -> Tokenizer:
    return Vocabulary(tokenizer) if isinstance(tokenizer, Sequence) else tokenizer
