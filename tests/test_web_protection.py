"""What stands before the web applications: names, origins, bounds and headers."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from served import served

from dissection.errors import OutputError
from neuronexplain.web import protection, server
from neuronexplain.web.protection import Gate
from neuronexplain.web.server import LOCAL

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def client():
    app = server.application("Test", hosts=["Names.Example"], largest_body=1000)

    @app.get("/api/ask")
    @app.get("/ask")
    def ask() -> str:
        return "answer"

    @app.post("/api/tell")
    async def tell(request: Request) -> int:
        return len(await request.body())

    with TestClient(app, base_url=BASE) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000", "names.example:443"])
def test_its_own_names_are_answered(client, host):
    assert client.get("/api/ask", headers={"host": host}).json() == "answer"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example/localhost", "[::1", ""]
)
def test_other_names_are_refused(client, host):
    response = client.get("/api/ask", headers={"host": host})
    assert response.status_code == 421
    assert "does not answer to the name" in response.json()["detail"]


def test_a_refusal_is_a_page_outside_the_api(client):
    response = client.get("/ask", headers={"host": "<script>.example"})
    assert response.status_code == 421
    assert "&lt;script&gt;" in response.text
    assert "<script>" not in response.text
    assert response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": BASE}, 200),
        ({"origin": BASE, "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_its_own_pages_and_programs_may_tell(client, headers, status):
    assert client.post("/api/tell", content=b"1", headers=headers).status_code == status


def test_a_link_from_another_site_may_be_followed_but_not_read(client):
    assert client.get("/ask", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    assert client.get("/api/ask", headers={"origin": "https://evil.example"}).status_code == 403


def test_a_body_is_bounded_whether_or_not_its_length_is_said(client):
    assert client.post("/api/tell", content=b"x" * 1000).json() == 1000
    for content in (b"x" * 1001, (b"x" * 100 for _ in range(11))):
        response = client.post("/api/tell", content=content)
        assert response.status_code == 413
        assert "the most that may be sent" in response.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "\u0661"])
def test_a_length_that_is_none_is_refused(client, length):
    assert client.post("/api/tell", headers={"content-length": length.encode()}).status_code == 400


def test_a_body_that_comes_too_slowly_is_refused():
    async def app(scope, receive, send):
        await receive()

    async def never():
        await asyncio.sleep(60)

    gate = Gate(app, hosts=["localhost"], refusal=lambda scope, error: app, slowest_body=0.01)
    scope = {"type": "http", "method": "POST", "headers": [(b"host", b"localhost")]}
    with (
        ThreadPoolExecutor() as thread,
        pytest.raises(protection.HTTPException) as refused,
    ):  # browsers leave a loop here
        thread.submit(lambda: asyncio.run(gate(scope, never, None))).result()
    assert refused.value.status_code == 408


def test_every_answer_has_the_headers(client):
    for path in ("/ask", "/api/ask", "/nowhere", "/static/style.css"):
        headers = client.get(path).headers
        assert protection.HEADERS.items() <= dict(headers).items()
    policy = protection.HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "style.css%00", "server.py", "%2e%2e/server.py"])
def test_only_listed_files_are_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_a_port_that_is_taken_is_refused_in_one_line():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=rf"127.0.0.1:{port} cannot be listened at .*: give another --host"):
            server.listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_body_does_not_wait_for_the_acknowledgement_of_its_headers(host):
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with server.listen(host, 0) as at, socket.create_connection(at.getsockname()[:2]):
        accepted, _ = at.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_body_far_too_large_is_answered_over_a_real_connection():
    """Who is cut off while sending would never read why."""
    app = server.application("Test", largest_body=10_000)
    with served(app) as address, socket.create_connection((LOCAL, urlsplit(address).port)) as connection:
        size = 35_000
        connection.sendall(f"POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // 1000):
            connection.sendall(b"x" * 1000)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
