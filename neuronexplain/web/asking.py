"""The routes on which photographs are sent, and what came of them is read."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, File, Form, Path, Query, Response, UploadFile
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from db.records import require_built
from neuronexplain.methods import METHODS
from neuronexplain.vocabulary import MethodName

from . import api_types, pages
from .explaining import MOST_TARGETS, Explained, Inquiry, Seen
from .inline_styles import policy_with, without_style_attributes
from .jobs import Job, Jobs
from .json_answer import PlainJSON
from .protection import HEADERS
from .state import Shared
from .uploads import Upload

Number = Annotated[int, Path(ge=0, lt=2**31)]
Id = Annotated[str, Path(max_length=40)]
_LONGEST_TARGET: Final = 200

Photograph = Annotated[
    UploadFile, File(description="A photograph: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000, AVIF.")
]

routes = APIRouter()


async def _asked(
    shared: Shared,
    photograph: Photograph,
    target: Annotated[
        list[str] | None, Form(description="Classes to explain, at most two: label, synonym or number.")
    ] = None,
    question: Annotated[
        str,
        Form(max_length=_LONGEST_TARGET, description="A question to a network that answers questions."),
    ] = "",
    caption: Annotated[
        str, Form(max_length=_LONGEST_TARGET, description="A caption to explain; by default the one that is written.")
    ] = "",
    method: Annotated[list[MethodName] | None, Form(description="Other explanations to show.")] = None,
    run: Annotated[int | None, Form(ge=0, lt=2**31, description="The run; by default the newest.")] = None,
) -> Job:
    """The job that a form asks for, put into the queue once everything about it is known to be right."""
    chosen = await run_in_threadpool(shared.catalogue.run, run)
    require_built(chosen, "thresholds")
    targets = tuple(dict.fromkeys(typed.strip() for typed in target or () if typed.strip()))
    if len(targets) > MOST_TARGETS or any(len(typed) > _LONGEST_TARGET for typed in targets):
        raise HTTPException(422, f"At most {MOST_TARGETS} classes are explained, by their labels or numbers.")
    inquiry = Inquiry(chosen, targets, tuple(dict.fromkeys(method or ())), question.strip(), caption.strip())
    subject = shared.explaining.subject(chosen)
    if subject.network:
        inquiry.require_sense(subject)
    upload = await _checked(photograph)
    return shared.jobs.add(partial(shared.explaining.explain, inquiry, upload))


Asked = Annotated[Job, Depends(_asked)]


@routes.get("/", include_in_schema=False)
def start(shared: Shared, run: Annotated[int | None, Query(ge=0, lt=2**31)] = None) -> Response:
    """The form."""
    names = shared.catalogue
    runs = names.runs()
    chosen = names.run(run) if runs else None
    subject = shared.explaining.subject(chosen) if chosen else None
    values = {"run": chosen, "runs": runs, "apart": names.apart, "subject": subject, "methods": METHODS.values()}
    return pages.page("explain.html.j2", here="explain", **values)


@routes.post("/explanations", include_in_schema=False)
async def explain(job: Asked) -> Response:
    """Ask, and go where the answer will be."""
    return RedirectResponse(f"/explanations/{job.id}", 303)


@routes.post("/runs/{run}/neurons/{unit}/photographs", include_in_schema=False)
async def see(shared: Shared, run: Number, unit: Number, photograph: Photograph) -> Response:
    """Ask where a neuron is alive in a photograph, and go where the answer will be."""
    chosen = await run_in_threadpool(shared.catalogue.run_with_unit, run, unit)
    require_built(chosen, "thresholds")
    upload = await _checked(photograph)
    job = shared.jobs.add(partial(shared.explaining.see, chosen, unit, upload))
    return RedirectResponse(f"/explanations/{job.id}", 303)


@routes.get("/explanations/{answer}", include_in_schema=False)
def explanation(shared: Shared, answer: Id) -> Response:
    """The answer, or how far it is."""
    job = _found(shared.jobs, answer)
    match job.result:
        case Explained():
            return _answer_page(job, job.result)
        case Seen():
            return pages.page("seen.html.j2", here="neurons", run=job.result.run, seen=job.result)
    if job.state == "failed":
        return pages.page("failed.html.j2", run=None, job=job)
    return pages.page("waiting.html.j2", run=None, job=job, ahead=shared.jobs.ahead_of(job))


@routes.get("/explanations/{answer}/page", include_in_schema=False)
def download(shared: Shared, answer: Id) -> Response:
    """The answer as a page that stands alone."""
    result = _found(shared.jobs, answer).result
    if not isinstance(result, Explained):
        raise HTTPException(404, "There is no page of that to download: explain a photograph first.")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", result.image.rpartition(".")[0]).strip("-") or "photograph"
    disposition = f'attachment; filename="{stem}-explained.html"'
    return Response(result.page, headers={"content-disposition": disposition}, media_type="text/html")


@routes.post(
    "/api/explanations",
    status_code=202,
    summary="Ask for an explanation",
    response_model=api_types.Asked,
    responses=api_types.REFUSALS,
)
async def explain_data(shared: Shared, job: Asked) -> PlainJSON:
    """Put a photograph into the queue; ask at the answer's ``location`` how far it is."""
    return PlainJSON(_state(job, shared.jobs), 202, {"location": f"/api/explanations/{job.id}"})


@routes.get(
    "/api/explanations/{answer}",
    summary="neuronexplain explain PHOTOGRAPH --json, once it is done",
    response_model=api_types.Asked,
    responses=api_types.REFUSALS,
)
def explanation_data(shared: Shared, answer: Id) -> PlainJSON:
    """How far an explanation is; when ``state`` is ``done``, ``explanations`` is what the command line prints."""
    return PlainJSON(_state(_found(shared.jobs, answer), shared.jobs))


async def _checked(photograph: UploadFile) -> Upload:
    data = await photograph.read()
    if not photograph.filename and not data:
        raise HTTPException(422, "No photograph was chosen: choose one.")
    return await run_in_threadpool(Upload.checked, photograph.filename, data)


def _found(jobs: Jobs, answer: str) -> Job:
    job = jobs.find(answer)
    if job is None:
        raise HTTPException(404, "There is no such answer, or no longer: only the latest are kept. Ask again.")
    return job


def _answer_page(job: Job, explained: Explained) -> Response:
    article, style = without_style_attributes(explained.article)
    values = {"run": explained.run, "job": job, "explained": explained, "article": article, "style": style}
    response = pages.page("answer.html.j2", here="explain", **values)
    response.headers["content-security-policy"] = policy_with(HEADERS["content-security-policy"], style)
    return response


def _state(job: Job, jobs: Jobs) -> dict[str, object]:
    """How far a job is; with ``explanations``, what ``explain --json`` prints, once it is done."""
    state: dict[str, object] = {"id": job.id, "state": job.state, "page": f"/explanations/{job.id}"}
    if not job.is_over:
        stage, done, total = job.stage or ("", 0, 0)
        state |= {"ahead": jobs.ahead_of(job), "stage": stage, "done": done, "total": total}
    match job.result:
        case Explained():
            state["explanations"] = [job.result.value]
        case Seen() as seen:
            state["neuron"] = {name: getattr(seen, name) for name in ("unit", "image", "peak", "share")}
    return state | ({"error": job.error} if job.error else {})
