"""Published datasets, fetched from a server on this machine."""

import io
import json
import re
import shutil
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import published
import pytest
from broden import writing_broden
from file_server import Reply, serving
from filelock import FileLock
from PIL import Image

from dissection.concepts.fetch import fetch
from dissection.concepts.formats import FORMATS
from dissection.concepts.layouts import open_concepts
from dissection.concepts.published import SOURCES, PublishedDataset, PublishedFile, find_source
from dissection.errors import ArchiveError, ConceptDataError, DownloadError, OutputError
from dissection.files import downloads
from dissection.files.downloads import Patience
from dissection.vocabulary import Concept

PATIENCE = Patience(tries=2, connect=5, read=5, sleep=lambda _seconds: None)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(scope="module")
def broden(tmp_path_factory) -> bytes:
    """A small Broden, packed as the published one is."""
    folder = tmp_path_factory.mktemp("broden") / "broden1_224"
    with writing_broden(folder, [Concept(1, "sky", "object")], label_size=(2, 2)) as writer:
        writer.add("a.jpg", Image.new("RGB", (4, 4)), {"object": [np.ones((2, 2), np.int32)]})
    files = {
        f"broden1_224/{file.relative_to(folder)}": file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    return zipped(files)


@pytest.fixture
def run(run):
    return partial(run, "concepts")


def test_broden_is_fetched_and_ready_to_use(tmp_path, run, broden):
    with serving(Reply(broden)) as web:
        status, out, err = run("fetch", "broden1_224", tmp_path / "b", "--mirror", f"{web.url}/copy")
    assert status == 0
    assert [asked for asked, _ in web.asked] == ["/copy/data/broden1_224.zip"]
    assert f"Next: neuronexplain concepts check {tmp_path / 'b'}" in out
    assert "Terms: for research" in err
    assert len(open_concepts(tmp_path / "b")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_the_folder_is_called_as_the_dataset(tmp_path, run, broden, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serving(Reply(broden)) as web:
        status, out, _ = run("fetch", "BRODEN1_224", "--mirror", web.url)
    assert (status, "broden1_224 is in broden1_224" in out) == (0, True)
    status, _, err = run("fetch", "broden1_224", "--mirror", web.url)
    assert (status, "broden1_224 already exists" in err) == (2, True)


def test_a_file_at_hand_is_unpacked_and_stays(tmp_path, run, broden):
    file = tmp_path / "whatever.zip"
    file.write_bytes(broden)
    assert run("check", file)[0] == 2
    status, _, _ = run("fetch", "broden1_224", tmp_path / "b", "--file", file)
    assert status == 0
    assert len(open_concepts(tmp_path / "b")) == 1
    assert file.read_bytes() == broden
    status, _, err = run("fetch", "broden1_224", tmp_path / "c", "--file", tmp_path / "none.zip")
    assert (status, "there is no such file" in err) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "whatever.zip"]
    file.write_bytes(b"<html>log in</html>")
    status, _, err = run("fetch", "broden1_224", tmp_path / "c", "--file", file)
    assert (status, "not a zip or tar that can be unpacked" in err) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "whatever.zip"]


def test_a_zip_is_no_folder_and_says_what_to_do(tmp_path, broden):
    (tmp_path / "b.zip").write_bytes(broden)
    with pytest.raises(ConceptDataError, match=r"a folder is needed: unpack an archive, or have concepts fetch do it"):
        open_concepts(tmp_path / "b.zip")


def test_a_host_that_is_gone(tmp_path, run, monkeypatch):
    with serving(Reply(status=404)) as web:
        status, out, err = run("fetch", "dtd", tmp_path / "d", "--mirror", web.url)
    line = err.strip().splitlines()[-1]
    assert (status, out) == (2, "")
    assert re.fullmatch(
        r"neuronexplain: cannot fetch http\S+/dtd-r1\.0\.1\.tar\.gz \(the server answers 404.*\); fetch it by hand "
        r"if you can, and name it with --file",
        line,
    )
    assert list(tmp_path.iterdir()) == []


def coco() -> PublishedDataset:
    """COCO's way: labels as an archive in an archive, and photographs in another."""
    files = (
        PublishedFile("http://gone.invalid/annotations/labels.zip", inner=("annotations/panoptic.zip",)),
        PublishedFile("http://gone.invalid/zips/val.tar"),
    )
    return PublishedDataset("coco", "", "", "", "coco-panoptic", files)


def labels() -> bytes:
    inner = zipped({"panoptic/1.png": b"1", "__MACOSX/panoptic/._1.png": b"?"})
    return zipped({"annotations/panoptic.json": b"{}", "annotations/panoptic.zip": inner})


def photographs() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("val/1.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"1"))
    return stream.getvalue()


def files_in(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_several_archives_and_archives_in_them(tmp_path):
    told = {}
    with serving(Reply(labels()), Reply(photographs())) as web:
        fetch(
            coco(),
            tmp_path / "c",
            mirror=web.url,
            patience=PATIENCE,
            progress=lambda stage, done, total: told.__setitem__(stage, (done, total)),
        )
    assert [asked for asked, _ in web.asked] == ["/annotations/labels.zip", "/zips/val.tar"]
    assert files_in(tmp_path / "c") == {
        "LICENSE-coco.txt",
        "annotations/panoptic.json",
        "annotations/panoptic/1.png",
        "val/1.jpg",
    }
    assert list(told) == [f"{verb} {name}" for verb in ("fetching", "unpacking") for name in ("labels.zip", "val.tar")]
    assert all(done == total > 0 for done, total in told.values())
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_what_came_before_an_error_is_not_fetched_again(tmp_path):
    with serving(Reply(labels()), Reply(status=404)) as web:
        with pytest.raises(DownloadError, match=r"val\.tar"):
            fetch(coco(), tmp_path / "c", mirror=web.url, patience=PATIENCE)
        assert files_in(tmp_path) == {"c.archives/labels.zip"}
        web.replies = [Reply(photographs())]
        fetch(coco(), tmp_path / "c", mirror=web.url, patience=PATIENCE)
    assert [asked for asked, _ in web.asked] == ["/annotations/labels.zip", "/zips/val.tar", "/zips/val.tar"]


def test_files_of_several_are_told_by_their_names(tmp_path):
    (tmp_path / "val.tar").write_bytes(photographs())
    with serving(Reply(labels())) as web:
        fetch(coco(), tmp_path / "c", files=[tmp_path / "val.tar"], mirror=web.url, patience=PATIENCE)
    assert len(web.asked) == 1
    (tmp_path / "photos.tar").write_bytes(photographs())
    with pytest.raises(ConceptDataError, match=r"none of the files of coco, which are labels\.zip, val\.tar"):
        fetch(coco(), tmp_path / "d", files=[tmp_path / "photos.tar"])


def test_a_hostile_archive_leaves_nothing(tmp_path):
    with serving(Reply(zipped({"../out": b"x"}))) as web, pytest.raises(ArchiveError, match="leads out of the folder"):
        fetch(SOURCES["broden1_224"], tmp_path / "b", mirror=web.url, patience=PATIENCE)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_is_fetched_again_and_the_others_stay(tmp_path):
    with serving(Reply(labels()), Reply(b"<html>log in</html>"), Reply(photographs())) as web:
        with pytest.raises(ArchiveError, match=r"val\.tar is not a zip or tar"):
            fetch(coco(), tmp_path / "c", mirror=web.url, patience=PATIENCE)
        assert files_in(tmp_path) == {"c.archives/labels.zip"}
        fetch(coco(), tmp_path / "c", mirror=web.url, patience=PATIENCE)
    assert len(web.asked) == 3


def test_an_archive_that_does_not_fit_on_the_disk_is_kept(tmp_path, broden, monkeypatch):
    with serving(Reply(broden)) as web:
        monkeypatch.setattr("dissection.files.archives._Allowance.take", full_disk)
        with pytest.raises(OutputError, match="No space left on device"):
            fetch(SOURCES["broden1_224"], tmp_path / "b", mirror=web.url, patience=PATIENCE)
    assert files_in(tmp_path) == {"b.archives/broden1_224.zip"}


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "broden1_224.zip")])
def test_what_was_left_when_a_dataset_was_in_its_place_goes_with_the_next_start(tmp_path, broden, left):
    file = write(tmp_path / "x.zip", broden)
    fetch(SOURCES["broden1_224"], tmp_path / "b", files=[file])
    (tmp_path / "b.archives").mkdir()
    for name in left:
        write(tmp_path / "b.archives" / name, b"")
    with pytest.raises(OutputError, match="already exists"):
        fetch(SOURCES["broden1_224"], tmp_path / "b", files=[file])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "x.zip"]


def test_archives_beside_a_folder_that_is_not_the_dataset_stay(tmp_path):
    write(tmp_path / "b" / "mine", b"")
    write(tmp_path / "b.archives" / "broden1_224.zip", b"")
    with pytest.raises(OutputError, match="already exists"):
        fetch(SOURCES["broden1_224"], tmp_path / "b")
    assert files_in(tmp_path) == {"b/mine", "b.archives/broden1_224.zip"}


def test_one_process_at_a_time(tmp_path, broden):
    (tmp_path / "b.archives").mkdir()
    with (
        FileLock(tmp_path / "b.archives" / "lock"),
        serving(Reply(broden)) as web,
        pytest.raises(ConceptDataError, match=r"another process is filling .*b\.archives; wait for it to end"),
    ):
        fetch(SOURCES["broden1_224"], tmp_path / "b", mirror=web.url, patience=PATIENCE)
    assert not web.asked
    fetch(SOURCES["broden1_224"], tmp_path / "b", files=[write(tmp_path / "x.zip", broden)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "x.zip"]


def test_a_place_that_cannot_be_written(tmp_path, broden):
    file = write(tmp_path / "x.zip", broden)
    with pytest.raises(OutputError, match="cannot write"):
        fetch(SOURCES["broden1_224"], file / "b", files=[file])


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_list(run):
    status, out, _ = run("fetch", "--list")
    assert status == 0
    assert all(name in out for name in SOURCES)
    _, out, _ = run("fetch", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["broden1_227"]["files"] == ["http://netdissect.csail.mit.edu/data/broden1_227.zip"]


def coco_layout(root: Path, what: str) -> None:
    """The annotations of both splits, and the photographs of one, as they are packed."""
    shape = {"segmentation": [[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]], "iscrowd": 0}
    record = {"image_id": 1, "category_id": 1, "file_name": "1.png", "segments_info": [{"id": 7, "category_id": 1}]}
    for split in ("train2017", "val2017"):
        content = {
            "images": [{"id": 1, "file_name": "1.jpg", "height": 8, "width": 8}],
            "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
            "annotations": [record | shape],
        }
        write(root / "annotations" / f"{what}_{split}.json", json.dumps(content).encode())
    write_picture(root / "val2017" / "1.jpg", (8, 8))


def panoptic_layout(root: Path) -> None:
    coco_layout(root, "panoptic")
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (7, 0, 0)).save(stream, "PNG")
    for split in ("train2017", "val2017"):
        write(root / f"annotations/panoptic_{split}.zip", zipped({f"panoptic_{split}/1.png": stream.getvalue()}))


def write_picture(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


VOC = {"a": published.halves(20, 255)}
LAYOUTS = {
    "ade20k": lambda root: published.write_scene_parsing(
        root / "ADEChallengeData2016", {"training/ADE_train_00000001": (published.halves(2, 4), "abbey")}
    ),
    "dtd": lambda root: published.write_dtd(root / "dtd", ["banded/banded_1.jpg"], "banded/banded_1.jpg banded\n"),
    "voc2012": lambda root: published.write_voc(root / "VOCdevkit" / "VOC2012", VOC, {"train": ["a"]}),
    "coco-panoptic": panoptic_layout,
    "coco-instances": lambda root: coco_layout(root, "instances"),
    "coco-stuff": lambda root: coco_layout(root, "stuff"),
    "pascal-context": lambda root: (
        published.write_voc(root / "VOCdevkit" / "VOC2010", VOC, {"train": ["a"]}),
        published.write_context(root, "1: accordion\n2: unknown\n", {"a": published.halves(1, 2)}),
        shutil.rmtree(root / "VOC2010"),
    ),
    "pascal-part": lambda root: (
        published.write_voc(root / "VOCdevkit" / "VOC2010", VOC, {"train": ["a"]}),
        published.write_parts(root, {"a": [published.part_object("cat", published.halves(1, 0))]}),
        shutil.rmtree(root / "JPEGImages"),
    ),
}
"""What is in the archives of each source that is converted, side by side."""


def test_every_source_that_is_converted_has_its_layout_here():
    assert set(LAYOUTS) == {source.name for source in SOURCES.values() if source.kind}
    assert {source.kind for source in SOURCES.values() if source.kind} <= set(FORMATS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_next_command_that_is_said_works(tmp_path, run, name):
    LAYOUTS[name](tmp_path / "packed")
    whole = pack(tmp_path / "packed")
    # which archive holds what does not matter, but for the one with others in it: all are unpacked into one folder
    more = zipped({"README": b"no more"})
    archives = [write(tmp_path / file.name, more if place else whole) for place, file in enumerate(SOURCES[name].files)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads._Request, "contradiction", lambda *_: "")  # they are not what was published
        status, out, _ = run("fetch", name, tmp_path / "got", *(word for each in archives for word in ("--file", each)))
    assert status == 0
    words = out.partition("Next: neuronexplain concepts ")[2].split()
    assert run(*words, "--size", 8, "--label-size", 4, "--min-images", 1)[0] == 0
    written = tmp_path / "got-concepts"
    assert len(open_concepts(written)) == 1
    note = (written / f"LICENSE-{name}.txt").read_text()
    assert SOURCES[name].terms in note
    assert all(file.url in note for file in SOURCES[name].files)


def pack(folder: Path) -> bytes:
    return zipped({str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()})


def test_what_is_known_of_the_sources_is_well_formed():
    with pytest.raises(ConceptDataError, match="no dataset 'brodn' is known; choose one of broden1_224, "):
        find_source("brodn")
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    for source in SOURCES.values():
        assert source.holds
        assert source.terms
        assert len({file.name for file in source.files}) == len(source.files)
        for file in source.files:
            assert re.fullmatch(r"https?://[\w./~-]+/[\w.-]+\.(zip|tar|tar\.gz)", file.url)
            kind, _, digits = (file.digest or f"sha256:{'0' * 64}").partition(":")
            assert re.fullmatch(r"[0-9a-f]+", digits)
            assert len(digits) == lengths[kind]
