"""The page of a network's mistakes: confusions, then each mistake, with pictures and what tells its classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.images.photographs import open_photograph
from neuronexplain.audit.shown_figures import in_percent, with_sign
from neuronexplain.metrics.small_samples import is_apart_from_0
from neuronexplain.pictures.overlay import concept_picture
from neuronexplain.report.inline_pictures import CONCEPT_SIDE, overlay_uri, picture_uri, shrunk, thumbnail_uri
from neuronexplain.report.page import render

from .confusions import class_accuracies, confusions, overall_accuracy, told_first
from .mistakes import TOP
from .wording import headline, said_sides, say_apart, say_prediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neuronexplain.answer import Contrast
    from neuronexplain.audit.photograph_pass import PhotographPass
    from neuronexplain.explainer import Explainer
    from neuronexplain.explanation import Comparison

    from .mistakes import CheckedPhotograph, Mistake


@dataclass(frozen=True, slots=True)
class WordPicture:
    """Where the neurons of a name light up in the photograph; the picture is empty where no pixel does."""

    concept: str
    uri: str


@dataclass(frozen=True, slots=True)
class MistakeCard:
    """A mistake with its pictures, as data URIs.

    Attributes:
        mistake: the mistake.
        headline: the two classes.
        prediction: what the network says.
        apart: what tells the classes apart.
        photograph: what the network saw.
        why_said: where the evidence for the said class lies.
        why_shown: the same for the shown class.
        words: where the neurons light up that are said to speak for either.
        thumbnail: the photograph, small.
    """

    mistake: Mistake
    headline: str
    prediction: str
    apart: str
    photograph: str
    why_said: str
    why_shown: str
    words: tuple[WordPicture, ...]
    thumbnail: str


def mistakes_page(
    photographs: Sequence[CheckedPhotograph],
    work: PhotographPass,
    explainer: Explainer,
    *,
    title: str,
    facts: Mapping[str, str],
    limit: int,
) -> str:
    """The page, as HTML that loads nothing.

    Args:
        photographs: what :func:`~neuronexplain.audit.mistakes.mistakes.check_photographs` returns.
        work: the pass that they were checked in; those shown are explained again, for their pictures.
        explainer: the explainer that they were checked with.
        title: headline of the page.
        facts: what a reader must know about the run and the photographs.
        limit: how many mistakes are shown; those of which most can be said.
    """
    mistakes = told_first([photograph.mistake for photograph in photographs if photograph.mistake])
    shown = mistakes[:limit]
    cards: list[MistakeCard] = []
    for card in _cards(shown, work, explainer):
        cards.append(card)
        work.execution.report("drawing", len(cards), len(shown))
    repeated = [confusion for confusion in confusions(photographs) if len(confusion.mistakes) > 1]
    return render(
        "audit_mistakes.html.j2",
        title=title,
        facts=facts,
        overall=overall_accuracy(photographs),
        mistakes=len(mistakes),
        in_top=sum(mistake.is_in_top for mistake in mistakes),
        has_more=len(explainer.network.classes) > TOP,
        repeated=repeated,
        once=len({(m.shown.index, m.said.index) for m in mistakes}) - len(repeated),
        accuracies=class_accuracies(photographs, explainer.network.classes),
        cards=cards,
        anchors={card.mistake.image: f"mistake-{number}" for number, card in enumerate(cards, 1)},
        thumbnails={card.mistake.image: card.thumbnail for card in cards},
        rules=explainer.rules,
        noun=explainer.network.layer.noun,
        in_percent=in_percent,
        is_apart=is_apart_from_0,
        with_sign=with_sign,
    )


def _cards(mistakes: Sequence[Mistake], work: PhotographPass, explainer: Explainer) -> Iterator[MistakeCard]:
    files = dict(zip(work.names, work.paths, strict=True))
    comparisons = explainer.compare_each(
        ((mistake.image, open_photograph(files[mistake.image])) for mistake in mistakes),
        [(mistake.said.index, mistake.shown.index) for mistake in mistakes],
        batch_size=work.execution.batch_size,
    )
    for mistake, comparison in zip(mistakes, comparisons, strict=True):
        yield _card(mistake, comparison)


def _card(mistake: Mistake, comparison: Comparison) -> MistakeCard:
    said, shown = comparison.answers
    return MistakeCard(
        mistake=mistake,
        headline=headline(mistake),
        prediction=say_prediction(mistake),
        apart=say_apart(mistake),
        photograph=picture_uri(said.photograph),
        why_said=overlay_uri(said),
        why_shown=overlay_uri(shown),
        words=tuple(
            picture
            for contrast, is_said in zip(comparison.contrasts, said_sides(mistake), strict=True)
            if is_said
            for picture in _words(contrast, comparison)
        ),
        thumbnail=thumbnail_uri(said),
    )


def _words(contrast: Contrast, comparison: Comparison) -> Iterator[WordPicture]:
    photograph = shrunk(comparison.answers[0].photograph, CONCEPT_SIDE)
    for concept, mask in contrast.masks.items():
        yield WordPicture(concept, picture_uri(concept_picture(photograph, mask)) if (mask > 1).any() else "")
