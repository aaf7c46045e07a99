"""A network as this project uses it: a module, the layer to dissect, what it expects of a photograph, its classes."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch.fx import Graph

from dissection.errors import ActivationError, NetworkError

from .answer_writing import AnswerWriting
from .body import body_fingerprint, content, described
from .heads import PLAIN, Head, find_head
from .isolation import tried, undisturbed
from .language import Answering, Captioning, Vocabulary
from .layers import FeatureMap, Layers
from .network_arguments import input_of, labels_of, require_module
from .placing import layouts_of, place
from .recording import in_type_of, noise, record
from .tap import Tap
from .trials import require_certain, require_independent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jaxtyping import Float
    from torch import Tensor, nn

    from dissection.vocabulary import Layer, Precision

    from .answer_writing import AnswerLogProbabilities, GenerateAnswers
    from .foreign_preprocessing import PreprocessingLike
    from .language import Encode, Generate, LogProbabilities, Rival, Tokenizer
    from .map_layouts import Layout
    from .network_source import Source
    from .preprocessing import Preprocessing
    from .recording import Recording


@dataclass(frozen=True, eq=False)
class Network:
    """A classifier, ready to be dissected and explained.

    Attributes:
        module: takes images ``(n, channels, h, w)``.
        name: name of the architecture, for people.
        layer: the layer to dissect.
        preprocessing: how a photograph becomes its input.
        classes: its labels by index.
        head: how scores before the softmax ``(n, classes)`` are read from the module's outputs.
        source: where it comes from, if it can be made again.
        precision: the arithmetic it runs in, see :mod:`dissection.networks.precision`.
        layouts: by layer, where its map lies in its output, if its shape alone does not show that.
        switches_autograd: whether it uses autograd's switch, as far as is known.
        body: fingerprint of what its layer's map is computed from, if the names of its units are known by that.
        language: how it is asked, or writes, if it answers questions or writes captions.
        prompt: the question that it is asked, or the caption whose words are its classes; empty if there is none.
    """

    module: nn.Module
    name: str
    layer: Layer
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head: Head = PLAIN
    source: Source | None = None
    precision: Precision = "float32"
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    switches_autograd: bool = True
    body: str = ""
    language: Answering | AnswerWriting | Captioning | None = None
    prompt: str = ""

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        *,
        layer: str | None = None,
        preprocessing: PreprocessingLike | None = None,
        classes: Sequence[str] = (),
        name: str = "",
        output: str = "",
        multi_label: bool = False,
    ) -> Network:
        """A network from a user's module, which stays as it is.

        It is run a few times on noise, to find its layers and its scores, see :mod:`dissection.networks.heads`, and
        whether it can be relied upon, see :mod:`dissection.networks.trials`.

        Args:
            module: the network.
            layer: the layer to dissect; by default the last rectified convolutional map.
            preprocessing: how a photograph becomes its input: a :class:`Preprocessing`, ``weights.transforms()``, a
                ``Compose`` of torchvision's transforms, or timm's data config. By default what ImageNet's networks
                expect, with an :class:`AssumedPreprocessingWarning`.
            classes: labels; by default "class 0", "class 1", and so on. One label "X" for one score means "no X", "X".
            name: name of the architecture, for people.
            output: key or position of the scores, if several of the module's outputs could be them.
            multi_label: whether classes are independent of each other, if no sigmoid at the end shows it.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run, gives no scores, has another number of classes, or does not always
                give an image the same scores.
            NotConnectedError: if no gradient of the scores reaches the layer.
            TypeError: if it is no module.
        """
        require_module(module)
        expected, name = input_of(module, preprocessing, name)
        recording = record(module, expected)
        head, score, count = find_head(recording, output=output, multi_label=multi_label)
        require_certain(module, expected, recording, [score] if score else [])
        layers = Layers(recording, score)
        tapped = layers.default() if layer is None else layers.named(layer)
        return _tapped(cls(module, name, tapped, expected, labels_of(classes, count, name), head), layers, recording)

    @classmethod
    def of_any_output(
        cls, module: nn.Module, *, layer: str, preprocessing: PreprocessingLike | None = None, name: str = ""
    ) -> Network:
        """A network from a module that takes images and gives anything: words, boxes, answers.

        It has no classes: a callable says what to explain, see :mod:`neuronexplain.methods.targets`. If it needs more
        than images, wrap it in a module that repeats the other inputs for every image::

            class Asked(nn.Module):
                def __init__(self, model, question):
                    super().__init__()
                    self.model, self.question = model, question

                def forward(self, images):
                    return self.model(images, self.question.expand(len(images), -1))

            network = Network.of_any_output(Asked(vqa, question), layer="model.cnn.layer4")

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run on one image, or does not always give the same answers for it.
        """
        require_module(module)
        expected, name = input_of(module, preprocessing, name)
        recording = record(module, expected)
        require_certain(module, expected, recording, list(recording.outputs.values()))
        layers = Layers(recording)
        return _tapped(cls(module, name, layers.named(layer), expected, ()), layers, recording)

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
    ) -> Network:
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
    ) -> Network:
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
        network, _ = cls._of_writer(language, layer, caption, "caption", preprocessing, name)
        return replace(network, language=language)

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
    ) -> Network:
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
        network, sample = cls._of_writer(writer, layer, answer, "answer", preprocessing, name)
        return replace(network, language=replace(language, sample=sample))

    @classmethod
    def _of_writer(
        cls,
        writer: Captioning,
        layer: str,
        text: str,
        argument: str,
        preprocessing: PreprocessingLike | None,
        name: str,
    ) -> tuple[Network, tuple[tuple[int, ...], ...]]:
        """A network that judges a text, or what it writes of an image of noise; and the tokens of that by words."""
        module = writer.module
        expected, name = input_of(module, preprocessing, name)
        if text:
            of_words = writer.tokens(text)[1]
        else:
            with tried(module):
                of_words = tuple(tuple(tokens) for tokens in writer.written(noise(module, expected)) if tokens)
        if not of_words:
            raise NetworkError(
                f"{name} writes nothing of an image of noise; give any {argument} that it knows with {argument}="
            )
        return cls.of_any_output(writer.judging(of_words), layer=layer, preprocessing=expected, name=name), of_words

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
                raise NetworkError(f"{self.name} answers no questions; Network.of_answers makes a network that does")
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
            raise NetworkError(f"{self.name} answers no questions; Network.of_answers makes a network that does")
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
        raise NetworkError(f"{self.name} writes no captions; Network.of_captions makes a network that does")

    @cached_property
    def fingerprint(self) -> str:
        """sha256 by which the runs of the network are known; the same on every device.

        Over architecture, layer, and every parameter and buffer; of a network without classes of its own, over what the
        layer's map is computed from, see :mod:`dissection.networks.body`. Computed once: if the weights change
        afterwards, make a new :class:`Network`.
        """
        return self.body or self.whole_fingerprint

    @cached_property
    def whole_fingerprint(self) -> str:
        """sha256 over architecture, layer, every parameter and buffer, and the answers that it can give.

        It tells apart two captioners with the same body, whose units have the same names.
        """
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(f"{line}\n".encode())
        tensors = chain(self.module.named_parameters(), self.module.named_buffers())
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(content(tensor))
        return digest.hexdigest()

    def copied(self) -> Network:
        """The same network with weights of its own: what is done to them leaves this one as it is."""
        module, language = copy.deepcopy((self.module, self.language))  # together, since they share weights
        return replace(self, module=module, language=language)

    @property
    def layout(self) -> Layout | None:
        """Where the layer's map lies in its output, if that is unusual."""
        return self.layouts.get(self.layer.name)

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        tensors = chain(self.module.parameters(), self.module.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    def at(self, layer: str) -> Network:
        """The same network, to be dissected at another layer.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NotConnectedError: if no gradient of the scores reaches the layer.
        """
        recording = record(self.module, self.preprocessing)
        layers = Layers(recording)
        return _tapped(replace(self, layer=layers.named(layer)), layers, recording)

    def feature_maps(self) -> list[FeatureMap]:
        """Every layer that can be dissected, in order of execution."""
        layers = Layers(record(self.module, self.preprocessing))
        maps = layers.maps()
        placed = layouts_of(self.module, self.preprocessing, layers, [feature_map.layer for feature_map in maps])
        return [
            FeatureMap(placed[name][0], feature_map.rectified, placed[name][1])
            for feature_map in maps
            if (name := feature_map.layer.name) in placed
        ]

    def reading(self, maps: Iterable[FeatureMap]) -> Network:
        """The same network, to be read at several layers that :meth:`feature_maps` found."""
        layouts = {feature_map.layer.name: feature_map.layout for feature_map in maps if feature_map.layout}
        return replace(self, layouts={**layouts, **self.layouts})

    def to(self, device: torch.device | str) -> Network:
        """Move the module to a device, as ``nn.Module.to`` does; returns this network.

        Raises:
            NetworkError: if there is no such device.
        """
        try:
            self.module.to(device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).strip().split("\n", maxsplit=1)[0]
            raise NetworkError(f"{self.name} cannot be moved to device {str(device)!r} ({reason}); try cpu") from error
        return self

    def _lines(self) -> Iterator[str]:
        """The modules by name, with the settings that no weight shows: a slope, a stride, an unusual head."""
        yield type(self.module).__name__
        yield f"{self.layer.name} {self.layer.rectifier}"
        if self.layout:
            yield str(self.layout)
        if self.head != PLAIN:
            yield str(self.head)
        if isinstance(self.language, Answering):
            yield str(self.language.answers)
        for name, part in self.module.named_modules():
            yield f"{name} {described(part)}"
            if isinstance(graph := getattr(part, "graph", None), Graph):  # an exported program's settings are in there
                yield str(graph)


def _tapped(network: Network, layers: Layers, recording: Recording) -> Network:
    """The same network, with its layer's map as it lies in the image, and tried at that layer.

    Raises:
        LayerNotFoundError: if it cannot be told how the map lies.
        NetworkError: if an image's answers depend on other images.
        NotConnectedError: if no gradient of the scores reaches the layer.
    """
    module, preprocessing = network.module, network.preprocessing
    layer, layout = place(module, preprocessing, layers, network.layer, network.name)
    head = network.head if network.classes else None
    switches = require_independent(module, preprocessing, recording, head, layer, layout)
    layouts = {layer.name: layout} if layout else {}
    is_of_body = network.body or not network.classes
    body = body_fingerprint(module, preprocessing, layer, layout) if is_of_body else ""
    return replace(network, layer=layer, layouts=layouts, switches_autograd=switches, body=body)


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
