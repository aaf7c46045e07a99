"""Ratings in a SQLite file: every rating is a transaction of its own, on disk before the rater sees the next question.

A rater is a random token, of which only a hash is kept: nothing says who it was, and whoever reads the file cannot go
on in the rater's name. Ratings of played raters, which are programs, are in a file of their own that says so.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import (
    URL,
    CheckConstraint,
    Column,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from dissection.files.paths import readable

from .dealing import Deal
from .errors import StudyError
from .questions import Rating, answers_of, turned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Connection

    from .study import Study

FILES = {"people": "ratings.db", "played": "played.db"}
"""The file of each kind of raters."""

Raters = Literal["people", "played"]
Outcome = Literal["kept", "not one of the answers", "already answered", "no longer needed", "no such question"]
"""What became of an answer."""

PATIENCE = 1800.0
"""Seconds for which an open question is kept for its rater; after that it is dealt to others as well."""

_WAIT = 30.0
"""Seconds to wait for another process that writes."""

_metadata = MetaData()
_meta = Table("meta", _metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
_raters = Table(
    "raters",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token", Text, nullable=False, unique=True),
    Column("consented", Float, nullable=False),
    Column("stopped", Float),
)
_deals = Table(
    "deals",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("rater", Integer, ForeignKey("raters.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("swapped", Integer, CheckConstraint("swapped IN (0, 1)"), nullable=False),
    Column("dealt", Float, nullable=False),
    Column("answer", Integer),
    Column("answered", Float),
    UniqueConstraint("rater", "question"),
    CheckConstraint("(answer IS NULL) = (answered IS NULL)"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in front of a rater.

    Attributes:
        deal: names this question to this rater.
        question: the question's id.
        swapped: whether labels or stimuli are shown in the other order.
        number: how many questions the rater has answered, plus one.
        total: how many the rater will be asked if all goes on as now.
    """

    deal: str
    question: str
    swapped: bool
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Turnout:
    """How far a study is.

    Attributes:
        raters: who has given at least one rating.
        ratings: ratings so far.
        needed: ratings that the study is to have.
    """

    raters: int
    ratings: int
    needed: int


class Ratings:
    """The ratings of a study; closed by leaving its ``with`` block.

    Args:
        study: the study.
        raters: people, or played raters.
        clock: the time, in seconds since 1970.

    Raises:
        StudyError: if the file is not one, or is of another study or other raters.
    """

    def __init__(self, study: Study, raters: Raters, *, clock: Callable[[], float] = time.time) -> None:
        self.study, self.raters = study, raters
        self._file, self._clock = study.folder / FILES[raters], clock
        self._engine = _engine(self._file)
        try:
            self._claim()
        except BaseException:
            self._engine.dispose()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def consent(self) -> str:
        """A new rater, who has consented; returns the token by which only the rater is known."""
        token = secrets.token_urlsafe(32)
        with self._writing() as connection:
            row = {"name": secrets.token_hex(6), "token": _hash(token), "consented": self._clock()}
            connection.execute(insert(_raters), row)
        return token

    def is_rater(self, token: str) -> bool:
        """Whether a token is of a rater who has consented, and has not withdrawn."""
        with self._reading() as connection:
            return self._rater(connection, token) is not None

    def has_stopped(self, token: str) -> bool:
        """Whether a rater has stopped."""
        with self._reading() as connection:
            query = select(_raters.c.stopped).where(_raters.c.token == _hash(token))
            return connection.execute(query).scalar() is not None

    def ask(self, token: str) -> Asked | None:
        """The question that is in front of a rater: the open one, if it is still needed, or the next.

        Returns:
            ``None`` if there is none, or no such rater.
        """
        with self._writing() as connection:
            rater = self._rater(connection, token)
            if rater is None:
                return None
            number, name = rater
            deals = self._deals(connection)
            of_rater = connection.execute(
                select(_deals).where(_deals.c.rater == number).order_by(_deals.c.dealt, _deals.c.id)
            ).all()
            connection.execute(update(_raters).where(_raters.c.id == number).values(stopped=None))
            answered = {row.question for row in of_rater if row.answer is not None}
            for row in of_rater:
                if row.answer is not None:
                    continue
                if self._count(connection, row.question) < self.study.plan.ratings:
                    total = self._total(row.question, answered, deals)
                    return Asked(row.id, row.question, bool(row.swapped), len(answered) + 1, total)
                connection.execute(delete(_deals).where(_deals.c.id == row.id))
            question = self.study.plan.next_question(name, answered, deals)
            if question is None:
                return None
            dealt = [Deal(row.question, bool(row.swapped)) for row in of_rater if row.answer is not None]
            swapped = self.study.plan.is_swapped(question, deals.get(question, []), dealt)
            deal = secrets.token_urlsafe(16)
            connection.execute(
                insert(_deals),
                {"id": deal, "rater": number, "question": question, "swapped": int(swapped), "dealt": self._clock()},
            )
            return Asked(deal, question, swapped, len(answered) + 1, self._total(question, answered, deals))

    def answer(self, token: str, deal: str, shown_answer: int) -> Outcome:
        """Keep a rater's answer to a question, or say why not.

        Args:
            token: the rater's.
            deal: the question in front of the rater.
            shown_answer: the answer, in the order in which the rater saw labels or stimuli.
        """
        if shown_answer not in answers_of(self.study.kind):
            return "not one of the answers"
        with self._writing() as connection:
            rater = self._rater(connection, token)
            if rater is None:
                return "no such question"
            row = connection.execute(select(_deals).where(_deals.c.id == deal, _deals.c.rater == rater[0])).first()
            if row is None:
                return "no such question"
            if row.answer is not None:
                return "already answered"
            if self._count(connection, row.question) >= self.study.plan.ratings:
                connection.execute(delete(_deals).where(_deals.c.id == deal))
                return "no longer needed"
            answer = turned(self.study.kind, shown_answer) if row.swapped else shown_answer
            connection.execute(update(_deals).where(_deals.c.id == deal).values(answer=answer, answered=self._clock()))
            return "kept"

    def stop(self, token: str) -> None:
        """A rater stops: what was given is kept, and the open question is dealt to others at once."""
        with self._writing() as connection:
            rater = self._rater(connection, token)
            if rater is not None:
                connection.execute(delete(_deals).where(_deals.c.rater == rater[0], _deals.c.answer.is_(None)))
                connection.execute(update(_raters).where(_raters.c.id == rater[0]).values(stopped=self._clock()))

    def withdraw(self, token: str) -> None:
        """A rater withdraws: everything that was kept of the rater is deleted."""
        with self._writing() as connection:
            rater = self._rater(connection, token)
            if rater is not None:
                connection.execute(delete(_deals).where(_deals.c.rater == rater[0]))
                connection.execute(delete(_raters).where(_raters.c.id == rater[0]))

    def answered(self, token: str) -> int:
        """How many questions a rater has answered."""
        with self._reading() as connection:
            query = select(func.count(_deals.c.answer)).join(_raters).where(_raters.c.token == _hash(token))
            return int(connection.execute(query).scalar_one())

    def all(self) -> list[Rating]:
        """All ratings, by rater and in the order in which they were given."""
        query = (
            select(_raters.c.name, _deals.c.question, _deals.c.answer)
            .join(_raters)
            .where(_deals.c.answer.is_not(None))
            .order_by(_raters.c.id, _deals.c.answered, _deals.c.id)
        )
        with self._reading() as connection:
            return [self._checked(*row) for row in connection.execute(query)]

    @property
    def turnout(self) -> Turnout:
        """How far the study is."""
        with self._reading() as connection:
            query = select(func.count(_deals.c.rater.distinct()), func.count()).where(_deals.c.answer.is_not(None))
            raters, ratings = connection.execute(query).one()
        return Turnout(raters, ratings, self.study.plan.ratings * len(self.study.questions))

    def _checked(self, rater: str, question: str, answer: int) -> Rating:
        if question not in self.study.questions or answer not in answers_of(self.study.kind):
            raise StudyError(f"{self._file} holds a rating that no question of the study has; take a copy from before")
        return Rating(rater, question, answer)

    def _rater(self, connection: Connection, token: str) -> tuple[int, str] | None:
        query = select(_raters.c.id, _raters.c.name).where(_raters.c.token == _hash(token))
        row = connection.execute(query).first()
        return None if row is None else (row.id, row.name)

    def _deals(self, connection: Connection) -> dict[str, list[Deal]]:
        """All deals by question."""
        still_open = self._clock() - PATIENCE
        deals: dict[str, list[Deal]] = {}
        for row in connection.execute(select(_deals.c.question, _deals.c.swapped, _deals.c.dealt, _deals.c.answer)):
            counts = row.answer is not None or row.dealt > still_open
            deals.setdefault(row.question, []).append(Deal(row.question, bool(row.swapped), counts))
        return deals

    def _count(self, connection: Connection, question: str) -> int:
        """How many ratings a question has."""
        query = select(func.count(_deals.c.answer)).where(_deals.c.question == question)
        return int(connection.execute(query).scalar_one())

    def _total(self, question: str, answered: set[str], deals: dict[str, list[Deal]]) -> int:
        """How many questions a rater will have been asked who has answered some, is asked one, and goes on."""
        plan = self.study.plan
        needed = sum(
            other not in answered and sum(deal.counts for deal in deals.get(other, ())) < plan.ratings
            for other in plan.images
            if other != question
        )
        return min(plan.per_rater, len(answered) + 1 + needed)

    def _claim(self) -> None:
        """Make the tables, or check that they are of this study and of such raters."""
        expected = {"study": self.study.digest, "raters": self.raters, "format": "1"}
        with self._writing() as connection:
            _metadata.create_all(connection)
            stored = {row.name: row.value for row in connection.execute(select(_meta))}
            if not stored:
                rows = [{"name": name, "value": value} for name, value in expected.items()]
                connection.execute(insert(_meta), rows)
                return
        if stored.get("raters") != self.raters:
            raise StudyError(
                f"{self._file} holds ratings of {'people' if self.raters == 'played' else 'played raters'}, which are "
                f"never mixed with those of {'played raters' if self.raters == 'played' else 'people'}; move it away"
            )
        if stored != expected:
            raise StudyError(f"{self._file} holds ratings of another study; move it away")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _explained(self._file), self._engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _explained(self._file), self._engine.begin() as connection:
            yield connection


def _engine(file: Path) -> Engine:
    url = URL.create("sqlite", database=str(file.absolute()))
    engine = create_engine(url, connect_args={"timeout": _WAIT, "check_same_thread": False})

    def configure(connection: object, _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined] # the driver's own transactions begin too late
        connection.execute("PRAGMA trusted_schema = OFF")  # type: ignore[attr-defined]
        connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[attr-defined]
        connection.execute("PRAGMA synchronous = FULL")  # type: ignore[attr-defined] # a rating survives a power failure
        connection.execute("PRAGMA secure_delete = ON")  # type: ignore[attr-defined] # what is withdrawn is gone

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise StudyError(f"{readable(file)}: {reason}; check the file and its folder, or move it away") from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
