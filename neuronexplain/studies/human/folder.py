"""A study as a folder: what raters may see, and what only the study knows.

::

    study.json              what the study is of, and the secret that its names are made with
    answers.json            the solution of each question, and the checksums of the pictures
    making.jsonl            which images were looked at, from which making is resumed
    ratings.db, played.db   ratings of people, and of played raters
    public/                 all that raters, or another platform, may see
        questions.json
        questions.csv
        pictures/*.png

Names of questions and pictures are keyed hashes: whoever knows the software, the images and the seed, but not the
secret, learns nothing from them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dissection.errors import CheckpointError, OutputError
from dissection.files.atomic import replace_file
from dissection.files.written_files import are_as_written

from .csv_tables import questions_csv
from .errors import StudyError
from .questions import Question, Solution, StudyKind  # noqa: TC001 -- msgspec reads the annotations
from .study import PICTURES, Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT = 1
"""Version of the files; others are refused."""

STUDY, ANSWERS, MAKING = "study.json", "answers.json", "making.jsonl"
QUESTIONS, QUESTIONS_CSV = "public/questions.json", "public/questions.csv"

_NAME = re.compile(r"[0-9a-f]{20}")
_PICTURE = re.compile(r"[0-9a-f]{20}\.png")


class Answers(msgspec.Struct, forbid_unknown_fields=True):
    """The file ``answers.json``.

    Attributes:
        format: version of the files.
        heading: what the study is of.
        solutions: by the question's id.
        checksums: of the pictures, by path in the folder.
    """

    format: int
    heading: dict[str, Any]
    solutions: dict[str, Solution]
    checksums: dict[str, str]


class Questions(msgspec.Struct, forbid_unknown_fields=True):
    """The file ``questions.json``.

    Attributes:
        format: version of the files.
        study: the study's digest.
        kind: what raters are asked.
        questions: in an order that tells nothing.
    """

    format: int
    study: str
    kind: StudyKind
    questions: tuple[Question, ...]


_File = TypeVar("_File", Answers, Questions)


def claim(folder: Path, heading: Mapping[str, Any]) -> bytes:
    """Make sure that a folder belongs to a study, or make it the study's; return the study's secret.

    Raises:
        CheckpointError: if it holds another study.
        OutputError: if it holds anything else, or cannot be written.
    """
    file = folder / STUDY
    if file.is_file():
        return _claimed(folder, heading)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} holds something that is not a study; name another --out")
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder} ({error.strerror}); name another --out") from error
    secret = secrets.token_bytes(32)
    replace_file(file, _encoded({"format": FORMAT, "heading": heading, "secret": secret.hex()}))
    return secret


def _claimed(folder: Path, heading: Mapping[str, Any]) -> bytes:
    try:
        stored = json.loads((folder / STUDY).read_bytes())
        written, secret = dict(stored["heading"]), bytes.fromhex(stored["secret"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{folder / STUDY} is damaged; name another --out, or remove the folder") from error
    expected = json.loads(json.dumps(heading))
    if written != expected:
        keys = [key for key in dict.fromkeys((*expected, *written)) if written.get(key) != expected.get(key)]
        raise CheckpointError(f"{folder} holds a study with another {', '.join(keys)}; name another --out")
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    return secret


def secret_name(secret: bytes, *parts: object) -> str:
    """A name that tells nothing to whoever does not know the secret."""
    return hmac.new(secret, json.dumps(parts).encode(), hashlib.sha256).hexdigest()[:20]


def write_study(
    folder: Path,
    heading: Mapping[str, Any],
    pairs: Sequence[tuple[Question, Solution]],
    checksums: Mapping[str, str],
) -> Study:
    """Write questions and answers apart from each other; the study is there when the last of these files is."""
    ordered = sorted(pairs, key=lambda pair: pair[0].id)
    solutions = {question.id: solution for question, solution in ordered}
    answers = Answers(FORMAT, dict(heading), solutions, dict(checksums))
    asked = tuple(question for question, _ in ordered)
    questions = Questions(FORMAT, _digest(answers, asked), heading["study"], asked)
    replace_file(folder / QUESTIONS, _encoded(msgspec.to_builtins(questions)))
    replace_file(folder / QUESTIONS_CSV, questions_csv(questions.kind, asked, heading["ratings"]))
    replace_file(folder / ANSWERS, _encoded(msgspec.to_builtins(answers)))
    return open_study(folder)


def open_study(folder: Path) -> Study:
    """The study in a folder.

    Raises:
        StudyError: if there is none, it is not finished, or its files are not as they were made.
    """
    if not (folder / ANSWERS).is_file():
        state = (
            "is not finished: run the same `neuronexplain study make` again"
            if (folder / STUDY).is_file()
            else ("holds no study: make one with `neuronexplain study make`")
        )
        raise StudyError(f"{folder} {state}")
    answers = _decoded(folder / ANSWERS, Answers)
    questions = _decoded(folder / QUESTIONS, Questions)
    if not FORMAT == answers.format == questions.format:
        raise StudyError(f"{folder} was made by another version; make the study again")
    if (reason := _contradiction(answers, questions)) is not None:
        raise StudyError(f"{folder}: {reason}; make the study again in another folder")
    by_id = {question.id: question for question in questions.questions}
    return Study(folder, answers.heading, by_id, answers.solutions, questions.study)


def require_pictures(study: Study) -> None:
    """Check that every picture is as it was made.

    Raises:
        StudyError: if one is missing, or is another.
    """
    checksums = _decoded(study.folder / ANSWERS, Answers).checksums
    changed = [path for path in checksums if not are_as_written(study.folder, {path: checksums[path]})]
    if changed:
        raise StudyError(
            f"{study.folder / changed[0]} is missing, or is not the picture that was made; put it back, or make the "
            "study again in another folder"
        )


def _contradiction(answers: Answers, questions: Questions) -> str | None:
    """Why the files are not of one study, or not of any."""
    heading = answers.heading
    if questions.study != _digest(answers, questions.questions) or heading.get("study") != questions.kind:
        return "questions and answers are of different studies, or have been changed"
    if not all(isinstance(heading.get(key), int) for key in ("ratings", "per rater", "seed")):
        return f"{ANSWERS} does not say how many ratings there are to be"
    if {question.id for question in questions.questions} != set(answers.solutions):
        return "questions and answers do not belong together"
    sizes = (2, 1) if questions.kind == "discrimination" else (1, 2)
    for question in questions.questions:
        pictures = [stimulus.picture for stimulus in question.stimuli if stimulus.picture]
        is_whole = (len(question.labels), len(question.stimuli)) == sizes and _NAME.fullmatch(question.id)
        if not is_whole or not all(map(_PICTURE.fullmatch, pictures)):
            return f"question {question.id} is not whole"
        if answers.solutions[question.id].position not in {0, 1}:
            return f"the answer of question {question.id} is none"
    return None


def _digest(answers: Answers, questions: Sequence[Question]) -> str:
    """Identifies what the study is of, its questions and answers, and its pictures."""
    return hashlib.sha256(msgspec.json.encode([answers, list(questions)], order="sorted")).hexdigest()


def _encoded(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _decoded(file: Path, kind: type[_File]) -> _File:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise StudyError(f"{file} cannot be read ({error.strerror}); make the study again in another folder") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{file} is damaged ({error}); make the study again in another folder") from error
