"""The data of the application keeps to its own description: every operation below ``/api``, whatever is sent."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance
from two_runs import two_runs
from worlds import colour_square

from db import NameStore
from neuronexplain.web.app import names_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from schemathesis import Case
    from schemathesis.schemas import BaseSchema

EXAMPLES = settings(max_examples=60, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
HOST = {"host": "127.0.0.1"}
OPERATIONS = [
    ("GET", "/api/runs"),
    ("GET", "/api/compare"),
    ("GET", "/api/runs/{run}/units"),
    ("GET", "/api/runs/{run}/concepts"),
    ("GET", "/api/runs/{run}/classes"),
    ("GET", "/api/search"),
    ("POST", "/api/explanations"),
    ("GET", "/api/explanations/{answer}"),
]


@pytest.fixture(scope="module")
def app(made_once: Callable[..., Path]) -> Iterator[FastAPI]:
    with NameStore.open(two_runs(made_once)) as store:
        yield names_app(store)


@pytest.fixture(scope="module")
def schema(app: FastAPI) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=HOST)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_every_operation_is_tried(schema: BaseSchema) -> None:
    described = [result.ok() for result in schema.get_all_operations()]
    assert sorted((operation.method.upper(), operation.path) for operation in described) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_fails_and_each_answers_as_it_says(method: str, path: str, schema: BaseSchema) -> None:
    excluded = [positive_data_acceptance] if method == "POST" else []  # not any bytes are a photograph

    @EXAMPLES
    @given(case=schema[path][method].as_strategy())
    def answers_as_it_says(case: Case) -> None:
        case.call_and_validate(headers=HOST, excluded_checks=excluded)

    answers_as_it_says()


@pytest.mark.parametrize("targets", [[], ["fire"], ["fire", "lake"]], ids=["predicted", "one", "two"])
def test_an_answer_is_what_it_is_said_to_be(targets: list[str], schema: BaseSchema, client: TestClient) -> None:
    stream = io.BytesIO()
    colour_square("red").save(stream, "PNG")
    sent = client.post(
        "/api/explanations",
        files={"photograph": ("red.png", stream.getvalue())},
        data={"target": targets, "method": ["gradient"]},
    )
    schema["/api/explanations"]["POST"].validate_response(sent)
    assert sent.status_code == 202
    asked = schema["/api/explanations/{answer}"]["GET"]
    for _ in range(600):
        answer = client.get(sent.headers["location"])
        asked.validate_response(answer)
        if answer.json()["state"] in {"done", "failed"}:
            break
        time.sleep(0.05)
    (explanation,) = answer.json()["explanations"]
    assert len(explanation.get("explanations", [explanation])) == max(len(targets), 1)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/runs", "/api/runs"),
        ("/api/compare", "/api/compare?a=1&b=2"),
        ("/api/runs/{run}/units", "/api/runs/1/units"),
        ("/api/runs/{run}/units", "/api/runs/2/units"),
        ("/api/runs/{run}/concepts", "/api/runs/1/concepts?of=fire"),
        ("/api/runs/{run}/concepts", "/api/runs/2/concepts?of=fire"),
        ("/api/runs/{run}/classes", "/api/runs/1/classes?for=red"),
        ("/api/search", "/api/search?q=r"),
    ],
)
def test_what_is_there_is_what_it_is_said_to_be(path: str, place: str, schema: BaseSchema, client: TestClient) -> None:
    answer = client.get(place)
    schema[path]["GET"].validate_response(answer)
    assert answer.status_code == 200
    assert answer.json()


@pytest.mark.parametrize("change", [lambda row: row.pop("layer"), lambda row: row.update(layer=3, more="")])
def test_an_answer_that_is_not_as_it_is_said_to_be_is_noticed(change, schema: BaseSchema, client: TestClient) -> None:
    answer = client.get("/api/runs")
    rows = answer.json()
    change(rows[0])
    answer._content = json.dumps(rows).encode()
    with pytest.raises((Failure, FailureGroup)):
        schema["/api/runs"]["GET"].validate_response(answer)
