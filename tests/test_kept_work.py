"""What an interrupted job keeps is read as it was written, or refused: one changed bit is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pngs import flips
from safetensors.numpy import save_file

from dissection.errors import CheckpointError
from dissection.execution.checkpoint import Checkpoint
from dissection.execution.journal import Journal
from neuronexplain.evaluation import record_journal
from neuronexplain.evaluation.record_journal import open_journal

if TYPE_CHECKING:
    from pathlib import Path

STATE = {"a.counts": np.arange(3), "b.sums": np.array(2.5), "c.none": np.zeros((0, 2), np.float32)}


def test_one_changed_bit_of_a_state_is_noticed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "job")
    checkpoint.save(STATE)
    (file,) = tmp_path.iterdir()
    for changed in flips(file.read_bytes()):
        file.write_bytes(changed)
        try:
            state = checkpoint.load()
        except CheckpointError:
            continue
        assert state is not None
        assert state.keys() == STATE.keys(), "only a flip in the checksum's own name goes unnoticed"
        assert all(np.array_equal(state[name], value) for name, value in STATE.items())
        assert all(state[name].dtype == value.dtype for name, value in STATE.items())


def test_a_damaged_state_is_one_line(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "job")
    checkpoint.save(STATE)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load()
    assert str(caught.value) == f"{file} is damaged; start again with --fresh, or remove {tmp_path}"


def test_a_state_of_an_earlier_version_has_no_checksum(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "job-00000003.state")
    state = Checkpoint(tmp_path, "job").load()
    assert state is not None
    assert state.keys() == STATE.keys()


RECORDS = [{"name": "caf\u00e9", "values": [1, 2.5, None]}, {"name": "b", "nested": {"1": True}}, {"name": "c"}]


def test_one_changed_bit_of_a_journal_is_noticed_or_its_last_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.append(RECORDS)
    for changed in flips(path.read_bytes()):
        path.write_bytes(changed)
        with Journal(path) as journal:
            try:
                records = list(journal)
            except ValueError:
                continue
        assert records in (RECORDS, RECORDS[:2])


@pytest.mark.parametrize("order", [(0, 2), (1, 2), (0, 0, 1, 2), (1, 0, 2), (0, 2, 1), (2,)])
def test_lines_that_are_missing_or_elsewhere_are_noticed(tmp_path: Path, order: tuple[int, ...]) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.append(RECORDS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[place] for place in order))
    with Journal(path) as journal, pytest.raises(ValueError, match="is damaged"):
        list(journal)


def test_a_journal_goes_on_after_any_line(tmp_path: Path) -> None:
    for kept in range(4):
        path = tmp_path / f"journal-{kept}"
        with Journal(path) as journal:
            journal.append(RECORDS[:1])
            journal.append([])
            journal.append([*RECORDS[1:], {}])
        with Journal(path) as journal:
            journal.cut(kept)
            journal.append([{"name": "new"}, {}])
        with Journal(path) as journal:
            journal.append([{"name": "last"}])
            assert list(journal) == [*RECORDS[:kept], {"name": "new"}, {}, {"name": "last"}]


@pytest.mark.parametrize("checksum", ["", ', "crc32": "0c9d3d4f"'])
def test_a_journal_of_an_earlier_version_is_refused(tmp_path: Path, checksum: str) -> None:
    path = tmp_path / "journal"
    path.write_text(f'{{"name": "c"{checksum}}}\n')
    with Journal(path) as journal, pytest.raises(ValueError, match="line 1 is damaged, or of an earlier version"):
        list(journal)


def test_a_damaged_journal_of_an_evaluation_is_one_line(tmp_path: Path) -> None:
    path, heading = tmp_path / "pointing.jsonl", {"images": 9}
    with open_journal(path, heading, batch_size=1) as journal:
        journal.add(range(1), [{"hits": 3}])
    path.write_text(path.read_text().replace('"hits": 3', '"hits": 2'))
    with pytest.raises(CheckpointError, match=r"pointing\.jsonl .*line 2 is damaged.*--fresh"):  # noqa: SIM117
        with open_journal(path, heading, batch_size=1):
            pass


def test_a_journal_of_other_rules_or_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, heading = tmp_path / "pointing.jsonl", {"images": 9}

    def hits() -> list[dict[str, int]]:
        with open_journal(path, heading, batch_size=1) as journal:
            return list(journal.records)

    with open_journal(path, heading, batch_size=1) as journal:
        journal.add(range(1), [{"hits": 3}])
    assert hits() == [{"hits": 3}]
    rules = record_journal.RULES
    with monkeypatch.context() as later:
        later.setattr(record_journal, "RULES", rules + 1)
        with pytest.raises(
            CheckpointError, match=rf"by neuronexplain \S+, rules {rules}, and .*, rules {rules + 1} may"
        ):
            hits()
    with monkeypatch.context() as later:
        later.setattr(record_journal, "version", lambda _: "99.0")
        with pytest.raises(CheckpointError, match=r"and neuronexplain 99\.0, .*; name another --out, or remove that"):
            hits()
    assert hits() == [{"hits": 3}]
    with Journal(path) as journal:
        journal.cut(0)
        journal.append([{"format": 2, **heading}])
    with pytest.raises(CheckpointError, match="begun by an earlier version, and "):
        hits()
