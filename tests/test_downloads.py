"""Downloads from a real server that breaks off, stalls, lies, changes its mind, or is gone."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from file_server import Reply, serving

from dissection.errors import DownloadError, OutputError
from dissection.files.downloads import Patience, download

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(1).randbytes(300_000)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def slept():
    return []


@pytest.fixture
def patience(slept):
    return Patience(tries=3, connect=5, read=0.2, sleep=slept.append)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_alone(tmp_path, slept, patience):
    told = []
    with serving(Reply(CONTENT)) as web:
        path = download(
            f"{web.url}/a/file.bin",
            tmp_path / "new" / "file.bin",
            size=len(CONTENT),
            digest=f"md5:{hashlib.md5(CONTENT).hexdigest()}",
            progress=lambda done, total: told.append((done, total)),
            patience=patience,
        )
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file.bin"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [asked for asked, _ in web.asked] == ["/a/file.bin"]
    assert slept == []


def test_what_is_there_is_not_fetched_but_checked(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    url = "http://host.invalid/file"
    assert download(url, path) == download(url, path, digest=f"sha256:{SHA256[:8].upper()}") == path
    with pytest.raises(DownloadError, match=r"file exists, but its sha256 is \w{8}, and deadbeef was published; rem"):
        download(url, path, digest="sha256:deadbeef")
    with pytest.raises(
        DownloadError,
        match="its sha1 is ffff, and 0000 was published".replace("ffff", hashlib.sha1(CONTENT).hexdigest()[:4]),
    ):
        download(url, path, digest="sha1:0000")
    with pytest.raises(DownloadError, match="it has 300000 bytes, and 5 were published"):
        download(url, path, size=5)
    assert path.read_bytes() == CONTENT


def test_goes_on_where_the_connection_broke_off(tmp_path, slept, patience):
    breaks = [Reply(CONTENT, stop=stop) for stop in (100_000, 70_000, 70_000)]
    with serving(*breaks, Reply(CONTENT)) as web:
        path = download(web.url, tmp_path / "file", digest=f"sha256:{SHA256}", patience=patience)
    assert path.read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in web.ranges()[1:]]
    assert web.ranges()[0] is None
    assert len(starts) == 3
    assert 0 < starts[0] < starts[1] < starts[2]
    assert slept == [1, 1, 1]  # each try brought something, so none makes the next wait longer
    assert names(tmp_path) == ["file"]


def test_a_server_that_stalls_is_left_and_asked_again(tmp_path, slept, patience):
    with serving(Reply(CONTENT, stop=100_000, stall=1), Reply(CONTENT)) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == CONTENT
    assert len(web.asked) == 2
    with (
        serving(Reply(CONTENT, stop=0, stall=1)) as web,
        pytest.raises(DownloadError, match=r"nothing came for 0\.2 seconds"),
    ):
        download(web.url, tmp_path / "other", patience=patience)
    assert len(web.asked) == 3
    assert slept == [1, 1, 2]


def test_a_range_that_is_ignored_begins_anew(tmp_path, patience):
    with serving(Reply(CONTENT, stop=200_000), Reply(CONTENT, ranges=False)) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.ranges()[1] is not None


def test_a_file_that_changes_between_tries_is_not_stitched(tmp_path, patience):
    with serving(Reply(CONTENT, stop=200_000), Reply(OTHER, tag='"second"')) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == OTHER
    assert web.asked[1][1]["If-Range"] == '"first"'


def test_not_even_by_a_server_that_disregards_the_condition(tmp_path, patience):
    class Careless(Reply):
        @property
        def headers(self):
            return {"ETag": '"second"'}

        @headers.setter
        def headers(self, _value):
            pass

    careless = Careless(OTHER, tag='"first"')  # takes the condition for met, and sends another file's bytes
    with serving(Reply(CONTENT, stop=200_000), careless) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == OTHER
    assert [asked is None for asked in web.ranges()] == [True, False, True]


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_validator_nothing_is_gone_on_with(tmp_path, patience, tag):
    with serving(Reply(CONTENT, tag=tag, stop=200_000), Reply(OTHER, tag=tag)) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == OTHER
    assert web.ranges() == [None, None]


def test_a_date_will_do_where_there_is_no_tag(tmp_path, patience):
    date = {"Last-Modified": "Mon, 10 Apr 2017 10:00:00 GMT"}
    with serving(Reply(CONTENT, tag="", headers=date, stop=200_000), Reply(CONTENT, tag="", headers=date)) as web:
        path = download(web.url, tmp_path / "file", digest=f"sha256:{SHA256}", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.asked[1][1]["If-Range"] == date["Last-Modified"]


def test_a_part_of_another_address_is_forgotten(tmp_path, patience):
    with serving(Reply(CONTENT, stop=200_000), Reply(status=404)) as web:
        with pytest.raises(DownloadError):
            download(f"{web.url}/one", tmp_path / "file", patience=patience)
        assert (tmp_path / "file.part").stat().st_size > 0
        web.replies = [Reply(OTHER)]
        path = download(f"{web.url}/two", tmp_path / "file", patience=patience)
    assert path.read_bytes() == OTHER
    assert web.ranges()[-1] is None


@pytest.mark.parametrize("spoilt", ["file.part", "file.part.json"])
def test_a_part_that_was_damaged_means_beginning_anew(tmp_path, patience, spoilt):
    with serving(Reply(CONTENT, stop=200_000), Reply(status=404)) as web:
        with pytest.raises(DownloadError):
            download(web.url, tmp_path / "file", patience=patience)
        content = bytearray((tmp_path / spoilt).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / spoilt).write_bytes(content)
        web.replies = [Reply(CONTENT)]
        path = download(web.url, tmp_path / "file", patience=patience)  # without a digest nothing else would notice
    assert path.read_bytes() == CONTENT
    assert web.ranges()[-1] is None
    assert names(tmp_path) == ["file"]


def test_bytes_that_came_after_the_last_note_are_fetched_again(tmp_path, patience):
    with serving(Reply(CONTENT, stop=200_000), Reply(status=404)) as web:
        with pytest.raises(DownloadError):
            download(web.url, tmp_path / "file", patience=patience)
        had = (tmp_path / "file.part").stat().st_size
        with (tmp_path / "file.part").open("ab") as file:
            file.write(b"half a chunk")
        web.replies = [Reply(CONTENT)]
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.ranges()[-1] == f"bytes={had}-"


@pytest.mark.parametrize("note", [b"", b"[1]", b"\xff", b'{"source": "http://x", "validator": 3}'])
def test_a_damaged_note_means_beginning_anew(tmp_path, patience, note):
    (tmp_path / "file.part").write_bytes(OTHER)
    (tmp_path / "file.part.json").write_bytes(note)
    with serving(Reply(CONTENT)) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


def test_a_server_that_promises_more_than_it_has(tmp_path, patience):
    liar = Reply(CONTENT, headers={"Content-Length": "400000"}, ranges=False)
    with (
        serving(liar) as web,
        pytest.raises(DownloadError, match=r"cannot fetch http://127\S+ \(the connection broke off\); fetch it by"),
    ):
        download(web.url, tmp_path / "file", patience=patience)
    assert len(web.asked) == 4  # one that brought something, three that did not
    assert "file" not in names(tmp_path)


def test_a_server_that_promises_less_than_it_has(tmp_path, patience):
    with serving(Reply(CONTENT, headers={"Content-Length": "1000"})) as web:
        with pytest.raises(DownloadError, match="the server has 1000 bytes, and 300000 were published"):
            download(web.url, tmp_path / "file", size=len(CONTENT), patience=patience)
        with pytest.raises(DownloadError, match="the server sent another file: its sha256 is"):
            download(web.url, tmp_path / "file", digest=f"sha256:{SHA256}", patience=patience)
    assert names(tmp_path) == []


def test_a_server_that_promises_nothing(tmp_path, patience):
    silent = Reply(CONTENT, headers={"Content-Length": None})
    with serving(silent) as web:
        path = download(web.url, tmp_path / "file", patience=patience)
        assert path.read_bytes() == CONTENT
        with pytest.raises(DownloadError, match="the server sends more than the 1000 bytes"):
            download(web.url, tmp_path / "short", size=1000, patience=patience)
        with pytest.raises(DownloadError, match="the server has 300000 bytes, and 400000 were published"):
            download(web.url, tmp_path / "long", size=400_000, patience=patience)


def test_more_than_fits_on_the_disk_is_refused_before_it_comes(tmp_path, patience):
    with (
        serving(Reply(CONTENT, headers={"Content-Length": str(10**18)})) as web,
        pytest.raises(DownloadError, match=r"1000000000000000000 bytes are missing, and the disk has room for \d+"),
    ):
        download(web.url, tmp_path / "file", patience=patience)
    assert len(web.asked) == 1


def test_the_wrong_file_is_discarded(tmp_path, patience):
    with (
        serving(Reply(OTHER)) as web,
        pytest.raises(DownloadError, match=r"sent another file: its sha256 is \w{8}, and \w{8} was published\); f"),
    ):
        download(web.url, tmp_path / "file", digest=f"sha256:{SHA256[:8]}", patience=patience)
    assert len(web.asked) == 1
    assert names(tmp_path) == []


def test_416_ends_what_is_whole_and_begins_anew_what_is_not(tmp_path, patience):
    with serving(Reply(CONTENT, stop=200_000), Reply(CONTENT[:1000]), Reply(CONTENT[:1000])) as web:
        path = download(web.url, tmp_path / "shrunk", patience=patience)
        assert path.read_bytes() == CONTENT[:1000]
    (tmp_path / "file.part").write_bytes(CONTENT)
    with serving(Reply(CONTENT)) as web:
        crc32 = zlib.crc32(f'{web.url} "first"'.encode() + CONTENT)
        note = {"source": web.url, "validator": '"first"', "length": len(CONTENT), "crc32": crc32}
        (tmp_path / "file.part.json").write_text(json.dumps(note))
        path = download(web.url, tmp_path / "file", digest=f"sha256:{SHA256}", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.ranges() == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("status", [404, 403, 410, 304])
def test_a_file_that_is_gone_is_told_at_once_with_the_way_by_hand(tmp_path, slept, patience, status):
    with (
        serving(Reply(status=status)) as web,
        pytest.raises(DownloadError, match=rf"cannot fetch {web.url}/x \(the server answers {status}") as told,
    ):
        download(f"{web.url}/x", tmp_path / "file", patience=patience)
    assert str(told.value).endswith(f"fetch it by hand if you can, and save it as {tmp_path / 'file'}")
    assert (len(web.asked), slept) == (1, [])


def test_a_server_in_trouble_is_asked_again(tmp_path, slept, patience):
    with serving(Reply(status=500), Reply(status=503), Reply(CONTENT)) as web:
        assert download(web.url, tmp_path / "file", patience=patience).read_bytes() == CONTENT
    assert slept == [1, 2]
    with serving(Reply(status=502)) as web, pytest.raises(DownloadError, match="the server answers 502"):
        download(web.url, tmp_path / "other", patience=patience)
    assert len(web.asked) == 3


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"])
def test_it_is_not_led_out_of_the_web(tmp_path, slept, patience, place):
    with (
        serving(Reply(status=302, headers={"Location": place})) as web,
        pytest.raises(DownloadError, match=r"it leads to an address that is not http or https: .*://"),
    ):
        download(web.url, tmp_path / "file", patience=patience)
    assert (len(web.asked), slept) == (1, [])


def test_it_follows_inside_the_web_and_not_in_circles(tmp_path, patience):
    with serving(Reply(status=302, headers={"Location": "/there"}), Reply(CONTENT)) as web:
        assert download(f"{web.url}/here", tmp_path / "file", patience=patience).read_bytes() == CONTENT
    assert [asked for asked, _ in web.asked] == ["/here", "/there"]
    with (
        serving(Reply(status=302, headers={"Location": "/"})) as web,
        pytest.raises(DownloadError, match="without end"),
    ):
        download(web.url, tmp_path / "other", patience=patience)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/x", "", "http:///x", "https:// /x"])
def test_only_addresses_of_the_web(tmp_path, url):
    with pytest.raises(DownloadError, match="is not an address to fetch from"):
        download(url, tmp_path / "file")
    with pytest.raises(DownloadError, match="is not an address to fetch from"):
        download("http://host/x", tmp_path / "file", mirror=url)
    assert names(tmp_path) == []


def test_hosts_that_are_gone(tmp_path, slept, patience, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving(Reply()) as web:
        pass
    with pytest.raises(DownloadError, match=r"\(there was no connection\)"):
        download(web.url, tmp_path / "file", patience=patience)
    with pytest.raises(DownloadError, match=r"http://gone\.invalid/x \(the host was not found\)"):
        download("http://gone.invalid/x", tmp_path / "file", patience=patience)
    assert slept == [1, 2, 1, 2]


def test_a_mirror_takes_the_hosts_place(tmp_path, patience):
    with serving(Reply(CONTENT)) as web:
        path = download("https://gone.invalid/zips/a", tmp_path / "a", mirror=f"{web.url}/copy/", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.asked[0][0] == "/copy/zips/a"


def test_proxies_of_the_environment_are_used(tmp_path, patience, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    with serving(Reply(CONTENT)) as web:
        monkeypatch.setenv("http_proxy", web.url)
        path = download("http://gone.invalid/a", tmp_path / "a", patience=patience)
    assert path.read_bytes() == CONTENT
    assert web.asked[0][0] == "http://gone.invalid/a"


def test_a_packed_file_that_the_server_calls_an_encoding_stays_packed(tmp_path, patience):
    with serving(Reply(CONTENT, headers={"Content-Encoding": "gzip"})) as web:
        assert download(web.url, tmp_path / "a.tar.gz", patience=patience).read_bytes() == CONTENT


def test_a_place_that_cannot_be_written(tmp_path, patience):
    (tmp_path / "blocked").touch()
    with pytest.raises(OutputError, match=r"cannot write .*blocked/file"):
        download("http://host.invalid/x", tmp_path / "blocked" / "file", patience=patience)


def test_a_whole_file_is_taken_where_nothing_can_be_written(tmp_path, patience):
    path = tmp_path / "a"
    path.write_bytes(CONTENT)
    (tmp_path / "a.lock").mkdir()  # can be neither locked nor removed, as a file in a folder that is only read
    assert download("http://host.invalid/a", path, size=len(CONTENT), patience=patience).read_bytes() == CONTENT


def test_several_at_once_fetch_it_once(tmp_path, patience):
    with serving(Reply(CONTENT, pause=0.002)) as web:
        threads = [
            threading.Thread(target=download, args=(web.url, tmp_path / "file"), kwargs={"patience": patience})
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(web.asked) == 1
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_was_killed_goes_on(tmp_path, patience, kill):
    code = "import sys; from pathlib import Path; from dissection.files import downloads, partial_file; "
    code += "partial_file._STEP = 1; downloads.download(sys.argv[1], Path(sys.argv[2]))"
    part = tmp_path / "file.part"
    with serving(Reply(CONTENT, pause=0.02)) as web:
        process = subprocess.Popen(
            [sys.executable, "-c", code, web.url, tmp_path / "file"],
            env={**os.environ, "no_proxy": "127.0.0.1"},
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not (tmp_path / "file.part.json").exists():
            time.sleep(0.01)
        process.send_signal(kill)
        process.wait()
        had = json.loads((tmp_path / "file.part.json").read_text())["length"]
        assert 0 < had <= part.stat().st_size < len(CONTENT)
        web.replies = [Reply(CONTENT)]
        download(web.url, tmp_path / "file", digest=f"sha256:{SHA256}", patience=patience)
    assert web.ranges() == [None, f"bytes={had}-"]
    assert names(tmp_path) == ["file"]
