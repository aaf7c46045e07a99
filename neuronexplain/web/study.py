"""The pages of a human study: consent, one question after another, an end at any time (Fig. 5 of the paper).

The server decides what a rater may see: a page holds a question without its answer, and a picture is served by a name
that tells nothing. A rater is known by a cookie alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import Cookie, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from neuronexplain.phrases import spoken
from neuronexplain.studies.human.questions import SCALE

from .pages import page
from .server import application

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastapi import FastAPI

    from neuronexplain.studies.human.questions import Question
    from neuronexplain.studies.human.ratings import Asked, Outcome, Ratings

COOKIE: Final = "rater"
_A_MONTH: Final = 30 * 24 * 3600
_LARGEST_ANSWER: Final = 4096
"""Bytes of a form; the longest holds a name of a question and a number."""
_PER_MINUTE: Final = 6
"""Questions that a rater answers in a minute, about, to say how long all of them take."""

_NOTES: Final[Mapping[Outcome, str]] = {
    "kept": "",
    "not one of the answers": "No answer was chosen: please choose one of those below.",
    "already answered": "You have answered that question before; your first answer is kept.",
    "no longer needed": "Others have answered that question in the meantime, so your answer was not needed.",
    "no such question": "That question is not open any more; here is the next one.",
}
"""What a rater is told of an answer."""

_KEYS: Final = {outcome: outcome.replace(" ", "-") for outcome in _NOTES}

Token = Annotated[str, Cookie(alias=COOKIE, max_length=100)]
Note = Literal["kept", "not-one-of-the-answers", "already-answered", "no-longer-needed", "no-such-question"]


def study_app(ratings: Ratings, *, contact: str = "", hosts: Iterable[str] = ()) -> FastAPI:
    """The application that asks a study's questions.

    Args:
        ratings: where answers are kept, and which questions are dealt.
        contact: who asks, for the page of consent.
        hosts: names, besides this machine's own, by which it may be addressed.
    """
    app = application("A study of explanations", hosts=hosts, largest_body=_LARGEST_ANSWER)
    pages = _Pages(ratings, contact)
    for path, route in (("/", pages.consent), ("/question", pages.question), ("/end", pages.end)):
        app.add_api_route(path, route, include_in_schema=False)
    app.add_api_route("/pictures/{name}", pages.picture, include_in_schema=False)
    for path, post in (
        ("/begin", pages.begin),
        ("/answer", pages.answer),
        ("/stop", pages.stop),
        ("/withdraw", pages.withdraw),
    ):
        app.add_api_route(path, post, methods=["POST"], include_in_schema=False)
    return app


class _Pages:
    """The pages, by what they do."""

    def __init__(self, ratings: Ratings, contact: str) -> None:
        self._ratings, self._study = ratings, ratings.study
        self._common = {"kind": self._study.kind, "is_played": ratings.raters == "played", "contact": contact}

    def consent(self, token: Token = "") -> Response:
        """What the study is, and what is kept; a rater who has begun can go on."""
        plan = self._study.plan
        questions = min(plan.per_rater, len(plan.images))
        return self._page(
            "consent.html.j2",
            questions=questions,
            minutes=-(-questions // _PER_MINUTE),
            has_begun=self._ratings.is_rater(token),
        )

    def begin(self, token: Token = "") -> Response:
        """Make a rater of somebody who has consented, once."""
        response = RedirectResponse("/question", 303)
        if not self._ratings.is_rater(token):
            response.set_cookie(COOKIE, self._ratings.consent(), max_age=_A_MONTH, httponly=True, samesite="lax")
        return response

    def question(self, token: Token = "", note: Note = "kept") -> Response:
        """The question in front of a rater."""
        if not self._ratings.is_rater(token):
            return RedirectResponse("/", 303)
        asked = self._ratings.ask(token)
        if asked is None:
            return RedirectResponse("/end", 303)
        said = next(text for outcome, text in _NOTES.items() if _KEYS[outcome] == note)
        return self._page("question.html.j2", asked=asked, note=said, **self._shown(asked))

    def answer(
        self,
        token: Token = "",
        deal: Annotated[str, Form(max_length=100)] = "",
        answer: Annotated[str, Form(max_length=10)] = "",
    ) -> Response:
        """Keep an answer, and go to the next question."""
        if not self._ratings.is_rater(token):
            return RedirectResponse("/", 303)
        outcome = self._ratings.answer(token, deal, _number(answer))
        return RedirectResponse("/question" if outcome == "kept" else f"/question?note={_KEYS[outcome]}", 303)

    def stop(self, token: Token = "") -> Response:
        """Stop for now."""
        self._ratings.stop(token)
        return RedirectResponse("/end", 303)

    def end(self, token: Token = "") -> Response:
        """Thanks, and the ways to go on or to withdraw."""
        if not self._ratings.is_rater(token):
            return RedirectResponse("/", 303)
        return self._page(
            "end.html.j2", answered=self._ratings.answered(token), has_stopped=self._ratings.has_stopped(token)
        )

    def withdraw(self, token: Token = "") -> Response:
        """Delete all that a rater has given."""
        self._ratings.withdraw(token)
        response = self._page("withdrawn.html.j2")
        response.delete_cookie(COOKIE)
        return response

    def picture(self, name: str) -> Response:
        """A picture of a question; nothing tells when it was made, which would tell in which order."""
        file = self._study.picture(name)
        if file is None:
            raise HTTPException(404, "There is no such picture here.")
        return Response(file.read_bytes(), media_type="image/png", headers={"cache-control": "private, max-age=86400"})

    def _shown(self, asked: Asked) -> dict[str, object]:
        """What the page shows of a question, in this rater's order."""
        question: Question = self._study.questions[asked.question]
        step = -1 if asked.swapped else 1
        labels = [spoken(label) for label in question.labels[::step]]
        answers = list(enumerate(labels)) if self._study.kind == "discrimination" else list(SCALE.items())
        return {"labels": labels, "stimuli": question.stimuli[::step], "answers": answers}

    def _page(self, template: str, **values: object) -> Response:
        response = page(f"study/{template}", **self._common, **values)
        response.headers["cache-control"] = "no-store"  # going back asks anew
        return response


def _number(text: str) -> int:
    """An answer as a number; what is none is none of the answers."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() else len(SCALE)
