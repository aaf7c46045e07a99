"""How the web application over 100 runs of 2,048 neurons answers 50 clients: its pages, its errors, its memory.

Run it by itself: ``python scripts/bench/serving.py [--seconds 60] [--clients 50] [--runs 100]``. Server and clients are
processes of their own. Clients look at pages drawn at random, pause as people do between two clicks (1 to 3 seconds),
and ask again. It also tells how long a page takes when nobody else asks.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from store import CONCEPTS, GATHERED, crowded

UNITS = 2048


def addresses(runs: list[int]) -> list[str]:
    """Addresses of every kind of page about the database, drawn at random."""
    draw = random.Random()  # noqa: S311
    run = draw.choice(runs)
    return [
        "/",
        "/runs",
        f"/runs/{run}",
        f"/runs/{run}/classes",
        f"/runs/{run}/classes/{draw.randrange(GATHERED)}",
        f"/runs/{run}/concepts",
        f"/runs/{run}/concept?name=concept+{draw.randrange(1, CONCEPTS + 1)}",
        f"/runs/{run}/neurons?start={100 * draw.randrange(UNITS // 100)}",
        f"/runs/{run}/neurons/{draw.randrange(UNITS)}",
        f"/search?q=concept+{draw.randrange(1, CONCEPTS + 1)}",
        f"/compare?a={run}&b={draw.choice(runs)}",
        f"/api/runs/{run}/units?unit={draw.randrange(UNITS)}",
    ]


def ask(connection: http.client.HTTPConnection, address: str) -> tuple[int, float]:
    """The status of an answer, and the milliseconds that it took."""
    start = time.perf_counter()
    connection.request("GET", address)
    response = connection.getresponse()
    response.read()
    return response.status, 1000 * (time.perf_counter() - start)


def seconds_of_reading(connection: http.client.HTTPConnection) -> float:
    """Seconds until the server has read every run; until then it says that its list of them may not be kept."""
    start = time.perf_counter()
    while True:
        connection.request("GET", "/runs")
        response = connection.getresponse()
        response.read()
        if response.getheader("cache-control") != "no-store":
            return time.perf_counter() - start
        time.sleep(0.2)


def client(port: int, runs: list[int], until: float, results: list[tuple[int, float]], errors: list[str]) -> None:
    """Look at one page after another until the time is over."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    time.sleep(3 * random.random())  # noqa: S311
    while time.perf_counter() < until:
        address = random.choice(addresses(runs))  # noqa: S311
        try:
            results.append(ask(connection, address))
        except OSError as error:
            errors.append(f"{address}: {error!r}")
            connection.close()
        time.sleep(random.uniform(1, 3))  # noqa: S311


def resident(pid: int) -> float:
    """Megabytes of memory that a process holds."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def quantiles(times: list[float]) -> dict[str, float]:
    """The median, and what nine of ten and 99 of 100 do not exceed."""
    cuts = statistics.quantiles(times, n=100)
    return {"median": statistics.median(times), "90 %": cuts[89], "99 %": cuts[98]}


def measure(path: Path, *, runs: int, clients: int, seconds: float) -> dict[str, object]:
    """Start the server over a database of many runs, and ask it."""
    numbers = [run.id for run in crowded(path, runs)]
    command = [sys.executable, "-m", "neuronexplain", "serve", "--db", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 -- our own
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            reading = seconds_of_reading(connection)
            alone = [ask(connection, address) for _ in range(25) for address in addresses(numbers)]
            before = resident(server.pid)
            results: list[tuple[int, float]] = []
            errors: list[str] = []
            until = time.perf_counter() + seconds
            threads = [
                threading.Thread(target=client, args=(port, numbers, until, results, errors)) for _ in range(clients)
            ]
            for thread in threads:
                thread.start()
            middle = 0.0
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.5)
                if not middle and time.perf_counter() > until - seconds / 2:
                    middle = resident(server.pid)
            after = resident(server.pid)
        finally:
            server.terminate()
    return {
        "runs": runs,
        "clients": clients,
        "seconds": seconds,
        "seconds to read every run": reading,
        "milliseconds of a page alone": quantiles([taken for _, taken in alone]),
        "milliseconds of a page among all": quantiles([taken for _, taken in results]),
        "answers": len(results),
        "not answered with 200": sum(status != 200 for status, _ in results + alone),
        "errors": errors[:5],
        "megabytes before, in the middle, after": [before, middle, after],
    }


def main() -> None:
    """Measure, and print what came out as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder) / "names.db", runs=options.runs, clients=options.clients, seconds=options.seconds)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
