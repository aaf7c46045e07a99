"""Archives: good ones come out as they went in, hostile and damaged ones leave nothing behind."""

import bz2
import gzip
import io
import lzma
import random
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pngs import flips

from dissection.errors import ArchiveError, OutputError
from dissection.files import archive_members
from dissection.files.archives import Limits, lift, unpack, unpack_into

FILES = {"set/index.csv": b"image\n", "set/images/a/1.jpg": random.Random(0).randbytes(400_000), "set/empty": b""}
TARS = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], packing: str = "w", **changes: object) -> Path:
    with tarfile.open(path, packing) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def make(path: Path, files: dict[str, bytes]) -> Path:
    return make_zip(path, files) if path.suffix == ".zip" else make_tar(path, files, TARS[path.name.partition(".")[2]])


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(archive: Path, why: str, kind: type[Exception] = ArchiveError, **options: object) -> None:
    """Unpacking fails with one line that names the archive, and leaves the folder's surroundings as they were."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(kind, match=why) as told:
        unpack(archive, archive.parent / "new", **options)
    assert str(archive) in str(told.value)
    assert "\n" not in str(told.value)
    assert sorted(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("ending", ["zip", *TARS])
def test_what_was_packed_comes_out(tmp_path, ending):
    told = []
    archive = make(tmp_path / f"a.{ending}", FILES)
    target = unpack(archive, tmp_path / "deep" / "new", progress=lambda done, total: told.append((done, total)))
    assert contents(target) == FILES
    assert sorted(path.name for path in target.parent.iterdir()) == ["new"]
    assert told[-1] == (archive.stat().st_size,) * 2
    assert told == sorted(told)
    assert len(told) == len(FILES) + 1
    assert stat.S_IMODE((target / "set").stat().st_mode) == stat.S_IMODE(target.parent.stat().st_mode)


def test_stored_members_folders_and_windows_separators(tmp_path):
    files = {"set\\images\\1.jpg": b"1", "set/empty/": b"", "./set/2.jpg": b"2"}
    target = unpack(make_zip(tmp_path / "a.zip", files, zipfile.ZIP_STORED), tmp_path / "new")
    assert contents(target) == {"set/images/1.jpg": b"1", "set/2.jpg": b"2"}
    assert (target / "set" / "empty").is_dir()


def test_what_macos_adds_is_left_out(tmp_path):
    litter = {"__MACOSX/set/._index.csv": b"x", "set/.DS_Store": b"x"}
    assert contents(unpack(make_zip(tmp_path / "a.zip", FILES | litter), tmp_path / "new")) == FILES


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"x": b"x"}).read_bytes()
    target = unpack(make_tar(tmp_path / "a.tar", {"set/inner.zip": inner}), tmp_path / "new")
    assert contents(target) == {"set/inner.zip": inner}


def test_no_program_and_no_owner_comes_out(tmp_path):
    target = unpack(make_tar(tmp_path / "a.tar", {"run": b"#!/bin/sh"}, mode=0o6777, uid=99), tmp_path / "new")
    assert not (target / "run").stat().st_mode & (stat.S_IXUSR | stat.S_ISUID | stat.S_IWOTH)


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/etc/out", "C:/out", "c:out", "\\\\host\\out", "..\\out", "a/\\..\\..\\out"]
)
@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_names_that_lead_out(tmp_path, name, ending):
    refused(make(tmp_path / f"a.{ending}", FILES | {name: b"x"}), "leads out of the folder; do not trust")


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_names_that_are_none(tmp_path, ending):
    refused(make(tmp_path / f"a.{ending}", {"a\x1b[2Jb": b"x"}), "control characters in its name")
    refused(make(tmp_path / f"b.{ending}", {".": b"x"}), "has no name")
    refused(make(tmp_path / f"c.{ending}", {"a" * 300: b"x"}), r"cannot unpack .* \(File name too long\)")


def test_a_zip_with_an_empty_name(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"x"})
    data = bytearray(archive.read_bytes())
    listed = data.index(b"PK\x01\x02")
    data[listed + 28], data[listed + 32] = 0, 1  # lengths of name and comment
    archive.write_bytes(data)
    refused(archive, "'' has no name")


COLLISIONS = [
    ["set/a.png", "set/A.PNG"],
    ["set/a", "set/a"],
    ["set/\N{LATIN SMALL LETTER E WITH ACUTE}", "set/e\N{COMBINING ACUTE ACCENT}"],
    ["set/a", "set/a/b"],
    ["set/a/b", "set/A"],
    ["set/a", "set/./a"],
]


@pytest.mark.parametrize("names", COLLISIONS)
@pytest.mark.parametrize("backwards", [False, True])
def test_names_that_meet(tmp_path, names, backwards):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in reversed(names) if backwards else names:
            archive.addfile(tarfile.TarInfo(name))
    refused(tmp_path / "a.tar", "appears twice, or differs from another name only in case")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_has_a_name_twice(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "one")
        archive.writestr("a", "two")
    refused(tmp_path / "a.zip", "appears twice")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path, kind):
    refused(make_tar(tmp_path / "a.tar", {"a": b""}, type=kind, linkname="/etc/passwd"), "'a' is a link or device")


def test_links_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "'a' is a link or device; only files and folders are unpacked")


def test_an_encrypted_zip(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"secret"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, "'a' is encrypted; unpack it by hand, with its password")


@pytest.mark.parametrize("ending", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_bombs_by_ratio(tmp_path, ending):
    archive = make(tmp_path / f"a.{ending}", {"a": bytes(3_000_000)})
    why = "unpacks to 3000000 bytes or more, far too many for its size; it is a bomb"  # told before any is unpacked
    refused(archive, why, limits=Limits(small=1_000_000))
    assert contents(unpack(archive, tmp_path / "new")) == {"a": bytes(3_000_000)}  # small enough not to matter


def test_bombs_by_size_and_by_number(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {str(number): b"12345" for number in range(10)})
    refused(archive, "unpacks to 50 bytes or more", limits=Limits(size=49))
    refused(archive, "holds more than 9 files", limits=Limits(members=9))
    unpack(archive, tmp_path / "new", limits=Limits(size=50, members=10))


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_more_than_the_disk_holds(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 5, 5))
    archive = make(tmp_path / f"a.{ending}", {"a": b"123456"})
    refused(archive, "unpacks to 6 bytes or more, and the disk has room for 5", OutputError)


def test_a_zip_that_lies_about_a_size(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": bytes(100_000)})
    data = archive.read_bytes()
    assert data.count((100_000).to_bytes(4, "little")) == 2
    archive.write_bytes(data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(archive, "not a zip or tar that can be unpacked")


def test_a_zip_whose_members_lie_on_each_other(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"1", "b": b"1"}, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # where b begins: where a does
    archive.write_bytes(data)
    refused(archive, "not a zip or tar that can be unpacked")


def test_a_tar_with_a_header_of_a_gigabyte(tmp_path):
    info = tarfile.TarInfo("a")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(10_000))
    refused(tmp_path / "a.tar", r"has a header of \d+ bytes, more than any needs")


@pytest.mark.parametrize("ending", ["zip", *TARS])
def test_archives_that_are_cut_short(tmp_path, ending):
    archive = make(tmp_path / f"a.{ending}", FILES)
    data = archive.read_bytes()
    for length in (len(data) // 3, 2 * len(data) // 3, len(data) - 10_000):
        archive.write_bytes(data[:length])
        refused(archive, "not a zip or tar that can be unpacked")


def test_a_damaged_member_is_found_out(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"0123456789" * 50}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"0123456789", b"0123456788", 1))
    refused(archive, "Bad CRC-32")


@pytest.mark.parametrize("ending", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_one_changed_bit_is_refused_or_changes_nothing(tmp_path, ending):
    files = {"set/a": b"0123456789" * 9, "set/b": b"x"}
    archive = make(tmp_path / f"a.{ending}", files)
    refusals, whole = 0, archive.read_bytes()
    for changed in flips(whole):
        archive.write_bytes(changed)
        try:
            unpack(archive, tmp_path / "new")
        except ArchiveError:
            refusals += 1
        else:
            assert contents(tmp_path / "new") == files
            shutil.rmtree(tmp_path / "new")
    assert refusals > len(whole), "others are of dates and the like"


def test_a_damaged_header_of_a_tar_is_not_its_end(tmp_path):
    archive = make_tar(tmp_path / "a.tar", {"a": b"", "b": b"", "c": b""})
    whole = archive.read_bytes()
    for place in range(3 * 512):
        changed = bytearray(whole)
        changed[place] ^= 4
        archive.write_bytes(changed)
        if 148 <= place % 512 < 156:  # the checksum itself, of which some bytes do not count
            continue
        refused(archive, "get it again")


def test_an_entry_of_a_zip_that_swallows_others(tmp_path):
    """One changed bit does it if entries are as long as a power of 2; zipfile itself would leave them out."""
    for field in (30, 32):  # lengths of extra field and comment
        archive = make_zip(tmp_path / "a.zip", {f"{number:018}": b"x" for number in range(40)})
        data = bytearray(archive.read_bytes())
        data[data.index(b"PK\1\2") + field + 1] ^= 2
        archive.write_bytes(data)
        refused(archive, "not a zip or tar that can be unpacked")


PACKING = {"tar": open, "tgz": gzip.open, "tar.gz": gzip.open, "tar.bz2": bz2.open, "tar.xz": lzma.open}


@pytest.mark.parametrize("headers", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("ending", TARS)
def test_a_tar_without_the_mark_of_its_end(tmp_path, ending, headers):
    """Only a compressed one is known to be whole; a header that announces another is never the end."""
    archive, files = tmp_path / f"a.{ending}", {"a" * 90: b"a" * 512, "b" * 90: b"b" * 600}
    with tarfile.open(tmp_path / "whole.tar", "w", format=headers) as whole:
        for name, content in files.items():
            info = tarfile.TarInfo(name if headers == tarfile.USTAR_FORMAT else name * 2)
            info.size = len(content)
            whole.addfile(info, io.BytesIO(content))
    data = (tmp_path / "whole.tar").read_bytes().rstrip(b"\0")
    data += bytes(-len(data) % 512)

    def pack(content: bytes) -> None:
        with PACKING[ending](archive, "wb") as file:
            file.write(content)

    pack(data)
    if ending == "tar":
        refused(archive, "ends without the mark of a tar's end")
    else:
        assert sorted(contents(unpack(archive, tmp_path / "new")).values()) == sorted(files.values())
        shutil.rmtree(tmp_path / "new")
        packed = archive.read_bytes()
        archive.write_bytes(packed[:-4])
        refused(archive, "not a zip or tar that can be unpacked")
    pack(data[:-512])
    refused(archive, "not a zip or tar that can be unpacked")
    if headers != tarfile.USTAR_FORMAT:
        pack(data[:512])
        refused(archive, "ends without the mark of a tar's end|not a zip or tar that can be unpacked")


@pytest.mark.parametrize("ending", TARS)
def test_what_follows_the_end_of_a_tar(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(archive_members, "_PADDING", 1 << 21)
    make_tar(tmp_path / "whole.tar", {"a": b"a" * 512, "b": b"b"})
    archive = tmp_path / f"a.{ending}"
    data = (tmp_path / "whole.tar").read_bytes()
    for content, why in (
        (data + b"more", "goes on behind the mark of its end"),
        (data + data, "goes on behind the mark of its end"),
        (data + bytes(1 << 22), "zeros behind its end"),
    ):
        with PACKING[ending](archive, "wb") as file:
            file.write(content)
        refused(archive, why)
    with PACKING[ending](archive, "wb") as file:
        file.write(data + bytes(1 << 20))
    assert contents(unpack(archive, tmp_path / "new")) == {"a": b"a" * 512, "b": b"b"}


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", bytes(2000), b"PK", b"\x1f\x8b\x08 nothing"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", "not a zip or tar that can be unpacked")


@given(data=st.data())
def test_any_damage_ends_well_or_in_one_line(tmp_path_factory, data):
    ending = data.draw(st.sampled_from(["zip", "tar", "tar.gz"]))
    folder = tmp_path_factory.mktemp("damage")
    archive = make(folder / f"a.{ending}", {"set/a": b"0123456789" * 20, "set/b": b"x"})
    content = bytearray(archive.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    try:
        unpack(archive, folder / "new")
    except ArchiveError:
        assert [path.name for path in folder.iterdir()] == [archive.name]
    else:
        assert sorted(path.name for path in folder.iterdir()) == [archive.name, "new"]
    shutil.rmtree(folder)


def test_places_that_are_taken_or_cannot_be_written(tmp_path):
    archive = make_zip(tmp_path / "a.zip", FILES)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for taken in (tmp_path / "full", archive):
        with pytest.raises(OutputError, match="already exists; name another folder"):
            unpack(archive, taken)
    with pytest.raises(OutputError, match=r"cannot write .*a\.zip/new \(Not a directory\)"):
        unpack(archive, archive / "new")
    with pytest.raises(ArchiveError, match=r"cannot unpack .*none\.zip .*\(No such file or directory\)"):
        unpack(tmp_path / "none.zip", tmp_path / "new")
    (tmp_path / "empty").mkdir()
    assert contents(unpack(archive, tmp_path / "empty")) == FILES
    assert (tmp_path / "full" / "mine").exists()


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "index.csv").write_text("mine")
    with pytest.raises(ArchiveError, match="File exists"):
        unpack_into(make_zip(tmp_path / "a.zip", FILES), tmp_path)
    assert (tmp_path / "set" / "index.csv").read_text() == "mine"


def test_a_folder_alone_in_a_folder_is_lifted(tmp_path):
    target = unpack(make_zip(tmp_path / "a.zip", {"kit/set/index.csv": b"", "kit/set/images/1": b""}), tmp_path / "new")
    lift(target)
    assert set(contents(target)) == {"index.csv", "images/1"}
    lift(target)
    assert set(contents(target)) == {"index.csv", "images/1"}
