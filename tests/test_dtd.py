"""Describable Textures: whole-image numbers, one for each texture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from published import write_dtd

from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.formats.dtd import Dtd
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = ["banded/banded_0002.jpg", "banded/banded_0010.jpg", "lined/lined_0001.jpg", "polka-dotted/polka-dotted_1.jpg"]
JOINT = "banded/banded_0010.jpg lined banded \nlined/lined_0001.jpg lined polka-dotted\n"


def textures(dataset: Dtd, index: int) -> list[str]:
    return [dataset.concepts[number].name for number in dataset.labels(index).whole]


def test_textures(tmp_path: Path) -> None:
    root = write_dtd(tmp_path / "dtd", IMAGES, JOINT)
    (root / "images" / "banded" / ".directory").write_text("a file manager's")
    dataset = Dtd(tmp_path, label_size=4)
    assert (dataset.name, dataset.categories) == ("dtd", ("texture",))
    assert [dataset.image_name(index) for index in range(len(dataset))] == IMAGES
    assert [textures(dataset, index) for index in range(4)] == [
        ["banded"],
        ["banded", "lined"],
        ["lined", "polka-dotted"],
        ["polka-dotted"],
    ]
    assert dataset.labels(0).maps.shape == (0, 4, 4)


def test_the_table_of_several_textures_is_optional_and_in_the_fingerprint(tmp_path: Path) -> None:
    root = write_dtd(tmp_path / "dtd", IMAGES)
    dataset = Dtd(root, label_size=4)
    assert [textures(dataset, index) for index in range(4)] == [["banded"], ["banded"], ["lined"], ["polka-dotted"]]
    joint = Dtd(write_dtd(tmp_path / "joint", IMAGES, JOINT), label_size=4)
    assert fingerprint(joint) != fingerprint(dataset)


@pytest.mark.parametrize(
    ("joint", "words"),
    [
        ("banded/banded_0002.jpg banded striped\n", ["labels_joint_anno.txt", "banded_0002.jpg", "'striped'"]),
        ("banded/banded_0003.jpg banded\n", ["labels_joint_anno.txt", "banded_0003.jpg", "not in images/"]),
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, joint: str, words: list[str]) -> None:
    with pytest.raises(ConceptDataError) as caught:
        Dtd(write_dtd(tmp_path / "dtd", IMAGES, joint), label_size=4)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "banded_0001.jpg").write_bytes(b"not in a folder of its texture")
    with pytest.raises(ConceptDataError, match="there are no images"):
        Dtd(tmp_path, label_size=4)
