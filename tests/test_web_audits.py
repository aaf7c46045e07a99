"""Audits in the web application: listed where their note is whole, shown as they are, and able to do nothing."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from two_runs import two_runs

from db import NameStore
from dissection.errors import OutputError
from neuronexplain.audit.page import AuditNote, audits_in, read_audit, require_audit_folder, write_audit
from neuronexplain.web.app import names_app

BASE = "http://127.0.0.1"
PAGE = "<!DOCTYPE html><p style='color: red'>What is wrong</p>"


@pytest.fixture
def served_audits(made_once, tmp_path):
    with NameStore.open(two_runs(made_once)) as store:
        note = AuditNote.of("mistakes", "What <b>it</b> gets wrong", store.run(1))
        write_audit(tmp_path / "first", note, PAGE, {"mistakes.json": b"{}"})
        write_audit(tmp_path / "of another", replace(note, run="0" * 64, kind="rules"), PAGE, {})
        (tmp_path / "no audit").mkdir()
        app = names_app(store, audit_folder=tmp_path)
        with TestClient(app, base_url=BASE) as client:
            yield client, tmp_path


def test_audits_are_listed_with_their_runs(served_audits):
    client, folder = served_audits
    listed = client.get("/audits")
    assert listed.status_code == 200
    assert "What &lt;b&gt;it&lt;/b&gt; gets wrong" in listed.text
    assert 'href="/audits/of%20another"' in listed.text
    assert "not in this database" in listed.text
    assert "no audit" not in listed.text
    assert "style=" not in listed.text
    assert 'href="/audits?run=1"' in client.get("/runs/1").text
    of_run = client.get("/audits", params={"run": 1}).text
    assert "/audits/first" in of_run
    assert "/audits/of%20another" not in of_run
    assert "There is none yet" in client.get("/audits", params={"run": 2}).text
    assert client.get("/audits", params={"run": 9}).status_code == 404
    write_audit(folder / "new", read_audit(folder / "first"), PAGE, {})
    assert "/audits/new" in client.get("/audits").text


def test_a_page_is_shown_as_it_is_and_may_run_nothing(served_audits):
    client, _ = served_audits
    shown = client.get("/audits/first")
    assert (shown.status_code, shown.text) == (200, PAGE)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("sandbox")


@pytest.mark.parametrize("name", ["no audit", "%2e%2e%2ffirst", "first%2findex.html", "first/audit.json", "nowhere"])
def test_nothing_else_is_reached(served_audits, name):
    client, _ = served_audits
    assert client.get(f"/audits/{name}").status_code == 404


def test_without_a_folder_there_is_no_audit(made_once):
    with NameStore.open(two_runs(made_once)) as store, TestClient(names_app(store), base_url=BASE) as client:
        assert "There is none yet" in client.get("/audits").text
        assert "/audits" not in client.get("/runs/1").text


def test_a_folder_that_is_not_whole_is_no_audit(served_audits):
    _, folder = served_audits
    first = folder / "first"
    assert [found.name for found, _ in audits_in(folder)] == ["first", "of another"]
    (first / ".audit-unfinished").touch()  # a process that was killed
    assert read_audit(first) is None
    require_audit_folder(first)
    (first / ".audit-unfinished").unlink()
    for damaged in ("[]", "{}", "{", '{"format": 1, "kind": 3}', '{"format": 2}', " " * 20_000):
        (first / "audit.json").write_text(damaged)
        assert read_audit(first) is None
    (folder / "of another" / "index.html").unlink()
    assert list(audits_in(folder)) == []


def test_a_folder_of_somebody_elses_is_left_alone(served_audits, tmp_path):
    _, folder = served_audits
    note = read_audit(folder / "first")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "index.html").write_text("theirs")
    (tmp_path / "file").write_text("theirs")
    for taken in ("theirs", "file"):
        with pytest.raises(OutputError, match=r"holds a page that is not of an audit|it is a file"):
            write_audit(tmp_path / taken, note, PAGE, {})
    with pytest.raises(OutputError, match="name a folder of audits"):
        list(audits_in(tmp_path / "nowhere"))


def test_serve_refuses_a_folder_of_audits_that_is_none(run, made_once, tmp_path):
    status, told, errors = run("serve", "--db", two_runs(made_once), "--audits", tmp_path / "nowhere")
    assert (status, told) == (2, "")
    assert "is not a folder; name one" in errors
