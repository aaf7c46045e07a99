"""Answerers of transformers, which write their answers: BLIP, which reads the question first, and LLaVA's kind.

LLaVA is a language model that reads the image's patches and the question in one prompt: that of its processor's chat
template, or else the one that its model card gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from dissection.errors import NetworkError
from dissection.networks.answer_writing import AnswerWriting
from dissection.networks.isolation import tried
from dissection.networks.network import Network
from dissection.networks.recording import noise

from .hugging_face_writing import (
    MOST_TOKENS,
    Text,
    last_map,
    require_belonging,
    text_config,
    tokens_named,
    write_greedily,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.networks.preprocessing import Preprocessing

_QUESTION = "what is it?"
"""A question that is asked while the layer is looked for, if all of its words are known."""
_PROMPTS = {
    "LlavaForConditionalGeneration": "USER: {image}\n{question} ASSISTANT:",
    "VipLlavaForConditionalGeneration": "A chat between a curious human and an artificial intelligence assistant. The "
    "assistant gives helpful, detailed, and polite answers to the human's questions.###Human: {image}\n{question}"
    "###Assistant:",
}
"""Where there is no chat template: what the model cards of LLaVA 1.5 and VipLLaVA say."""


def answerer(module: Any, processor: Any, preprocessing: Preprocessing, name: str) -> Network:  # noqa: ANN401 -- transformers
    """An answerer of transformers with its processor, ready to be dissected.

    Raises:
        LayerNotFoundError: if its vision encoder has no map that can be placed in the image.
        NetworkError: if it cannot run on an image, or its processor makes no prompt of a question.
    """
    module.eval()
    words = require_belonging(processor.tokenizer, module, name)
    writer, text, vision = ANSWERERS[type(module).__name__](module, processor, preprocessing, name)
    language = AnswerWriting(module, writer.generate, writer.logits, text)
    question = _known_question(writer.question, words)
    return Network.of_written_answers(
        module,
        layer=last_map(language.asked(question).captioning, min(words), vision, preprocessing, name),
        generate=writer.generate,
        log_probabilities=writer.logits,
        tokenizer=text,
        question=question,
        preprocessing=preprocessing,
        name=name,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Blip:
    """BLIP: an encoder reads the question beside the image, and a decoder writes while it looks at what was read.

    Attributes:
        question: the tokenizer of questions.
        begin: the token that an answer begins with.
        ends: the tokens that end one.
    """

    question: Text
    begin: int
    ends: frozenset[int]

    @classmethod
    def of(cls, module: Any, processor: Any, _preprocessing: Preprocessing, name: str) -> _Made:  # noqa: ANN401 -- transformers
        tokenizer, most = processor.tokenizer, text_config(module).max_position_embeddings
        (begin, *_), ends = tokens_named(module, "bos_token_id"), tokens_named(module, "sep_token_id")
        (padding, *_) = tokens_named(module, "pad_token_id", "sep_token_id")
        write_greedily(module, begin=begin, ends=ends, padding=padding, most=most - 1)
        question = Text(tokenizer, name, most - tokenizer.num_special_tokens_to_add() + 1, "question")
        return cls(question, begin, frozenset(ends)), Text(tokenizer, name, most, "answer"), "vision_model"

    def generate(self, module: Any, images: Float[Tensor, "images channels H W"], question: str) -> list[list[int]]:  # noqa: ANN401 -- transformers
        """The likeliest token after each other."""
        asked = self._asked(images, question)
        written = module.generate(input_ids=asked, attention_mask=torch.ones_like(asked), pixel_values=images)
        return [_until(self.ends, row[1:]) for row in written.tolist()]

    def logits(
        self,
        module: Any,  # noqa: ANN401 -- transformers
        images: Float[Tensor, "images channels H W"],
        question: str,
        tokens: Int64[Tensor, " tokens"],
    ) -> Float[Tensor, "images tokens words"]:
        """The scores of all words in the place of each token; the module's own ``forward`` keeps them to itself."""
        asked = self._asked(images, question)
        seen = module.vision_model(pixel_values=images).last_hidden_state
        read = module.text_encoder(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            encoder_hidden_states=seen,
            encoder_attention_mask=seen.new_ones(seen.shape[:2], dtype=torch.long),
        ).last_hidden_state
        before = torch.cat([tokens.new_tensor([self.begin]), tokens[:-1]]).expand(len(images), -1)
        scores: Tensor = module.text_decoder(
            input_ids=before,
            encoder_hidden_states=read,
            encoder_attention_mask=torch.ones_like(asked),
            use_cache=False,
        ).logits
        return scores

    def _asked(self, images: Tensor, question: str) -> Int64[Tensor, "images tokens"]:
        self.question.encode(question)  # refuses what it does not know
        ids = self.question.tokenizer.encode(question)
        return torch.tensor([ids], device=images.device).expand(len(images), -1)


@dataclass(frozen=True, slots=True, eq=False)
class _Prompt:
    """What LLaVA's kind reads of a question.

    Attributes:
        processor: fills in its chat template, which transformers runs in a sandbox.
        image: the text of the token in whose place the image is read.
        plain: the prompt where there is no such template.
        name: the network's name.
    """

    processor: Any
    image: str
    plain: str
    name: str

    def of(self, question: str) -> str:
        """The prompt, up to where the answer begins.

        Raises:
            NetworkError: if the template cannot be filled in.
        """
        if not self.processor.chat_template:
            return self.plain.format(image=self.image, question=question)
        content = [{"type": "image"}, {"type": "text", "text": question}]
        try:
            prompt = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True
            )
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise NetworkError(
                f"the chat template of {self.name} takes no question about an image ({reason}); give another network"
            ) from error
        return str(prompt)


@dataclass(frozen=True, slots=True, eq=False)
class _Llava:
    """LLaVA's kind: a language model that reads the image's patches in the prompt, in the place of a token.

    Attributes:
        question: the tokenizer of questions.
        prompt: the prompt of a question.
        image_token: the number of the token in whose place the image is read.
        patches: how many tokens the image is.
        most: how many tokens the network can read.
        ends: the tokens that end an answer.
    """

    question: Text
    prompt: _Prompt
    image_token: int
    patches: int
    most: int
    ends: frozenset[int]

    @classmethod
    def of(cls, module: Any, processor: Any, preprocessing: Preprocessing, name: str) -> _Made:  # noqa: ANN401 -- transformers
        tokenizer, most = processor.tokenizer, text_config(module).max_position_embeddings
        ends = tokens_named(module, "eos_token_id")
        (padding, *_) = tokens_named(module, "pad_token_id", "eos_token_id")
        write_greedily(module, begin=None, ends=ends, padding=padding, most=most)
        image_token = int(module.config.image_token_index)
        if image_token not in tokenizer.added_tokens_decoder:
            raise NetworkError(
                f"the tokenizer of {name} has no token {image_token}, in whose place the image is read; fetch the "
                "tokenizer's files that belong to the network"
            )
        plain = _PROMPTS[type(module).__name__]
        image = tokenizer.added_tokens_decoder[image_token].content

        prompt = _Prompt(processor, image, plain, name)
        before, _, after = prompt.of(_QUESTION).rpartition(_QUESTION)
        if before.count(image) != 1 or image in after:
            raise NetworkError(
                f"the chat template of {name} makes a prompt without one place for the image ({image}) before the "
                "question; fetch the processor's files that belong to the network"
            )
        patches = _patches(module, preprocessing, name)
        writer = cls(Text(tokenizer, name, most, "question"), prompt, image_token, patches, most, frozenset(ends))
        return writer, Text(tokenizer, name, most, "answer", after), "model.vision_tower"

    def generate(self, module: Any, images: Float[Tensor, "images channels H W"], question: str) -> list[list[int]]:  # noqa: ANN401 -- transformers
        """The likeliest token after each other; that in whose place an image is read spells nothing."""
        asked = self._asked(images, question, MOST_TOKENS)
        written = module.generate(input_ids=asked, attention_mask=torch.ones_like(asked), pixel_values=images)
        answers = [_until(self.ends, row[asked.shape[1] :]) for row in written.tolist()]
        return [[token for token in answer if token != self.image_token] for answer in answers]

    def logits(
        self,
        module: Any,  # noqa: ANN401 -- transformers
        images: Float[Tensor, "images channels H W"],
        question: str,
        tokens: Int64[Tensor, " tokens"],
    ) -> Float[Tensor, "images tokens words"]:
        """The scores of all words in the place of each token, given those before it."""
        asked = self._asked(images, question, len(tokens))
        read = torch.cat([asked, tokens[:-1].expand(len(images), -1)], 1)
        scores: Tensor = module(
            input_ids=read,
            attention_mask=torch.ones_like(read),
            pixel_values=images,
            use_cache=False,
            logits_to_keep=len(tokens),
        ).logits
        return scores

    def _asked(self, images: Tensor, question: str, beside: int) -> Int64[Tensor, "images tokens"]:
        """The prompt's tokens, with as many for the image as it has patches, and room for some more tokens."""
        tokenizer = self.question.tokenizer
        self.question.encode(question)  # refuses what it does not know
        prompt = self.prompt.of(question)
        begins = tokenizer.bos_token is not None and prompt.startswith(tokenizer.bos_token)
        read = tokenizer.encode(prompt, add_special_tokens=not begins)
        if read.count(self.image_token) != 1:
            raise NetworkError(
                f"the question {question!r} holds {self.prompt.image}, in whose place an image is read; leave that out"
            )
        place = read.index(self.image_token)
        ids = [*read[:place], *[self.image_token] * self.patches, *read[place + 1 :]]
        if len(ids) + beside > self.most:
            raise NetworkError(
                f"the question and the image have {len(ids)} tokens, and {self.question.name} reads at most "
                f"{self.most} with the answer; shorten it"
            )
        return torch.tensor([ids], device=images.device).expand(len(images), -1)


_Made: TypeAlias = tuple[_Blip | _Llava, Text, str]
"""How the network is run, the tokenizer of its answers, and the name of its vision encoder."""

ANSWERERS: dict[str, Callable[[Any, Any, Preprocessing, str], _Made]] = {
    "BlipForQuestionAnswering": _Blip.of,
    "LlavaForConditionalGeneration": _Llava.of,
    "VipLlavaForConditionalGeneration": _Llava.of,
}
"""By their class's name."""


def _known_question(text: Text, words: Collection[int]) -> str:
    """Any question that the network understands.

    Raises:
        NetworkError: if it understands none.
    """
    for question in chain([_QUESTION], (text.decode([token]) for token in sorted(words))):
        try:
            if text.encode(question):
                return question
        except NetworkError:
            continue
    raise NetworkError(f"{text.name} knows no word to ask it with; fetch the tokenizer's files that belong to it")


def _patches(module: Any, preprocessing: Preprocessing, name: str) -> int:  # noqa: ANN401 -- transformers
    """How many tokens an image is, counted where the vision encoder hands it on."""
    shapes: list[tuple[int, ...]] = []
    projector = module.model.multi_modal_projector
    handle = projector.register_forward_hook(lambda _part, _args, output: shapes.append(tuple(output.shape)))
    images = torch.cat([noise(module, preprocessing)] * 2)
    refusal = f"the vision encoder of {name} does not take images alone, one beside the other; give another network"
    try:
        with tried(module):
            module.get_image_features(pixel_values=images)
    except Exception as error:
        raise NetworkError(f"{refusal} ({' '.join(str(error).split())[:200]})") from error
    finally:
        handle.remove()
    if not shapes or len(shapes[-1]) != 3 or shapes[-1][0] != len(images):
        raise NetworkError(refusal)
    return shapes[-1][1]


def _until(ends: frozenset[int], tokens: list[int]) -> list[int]:
    return list(takewhile(lambda token: token not in ends, tokens))
