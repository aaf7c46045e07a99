"""The rows of a Hugging Face dataset on this machine: what ``save_to_disk`` wrote, or Arrow or Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datasets import (
    Dataset,
    DatasetDict,
    are_progress_bars_disabled,
    concatenate_datasets,
    disable_progress_bars,
    enable_progress_bars,
    load_from_disk,
)

from dissection.concepts.problems import BadFileError

if TYPE_CHECKING:
    from pathlib import Path


def folder_of(src: Path) -> Path:
    """The folder of the files that go with the data."""
    return src if src.is_dir() else src.parent


def open_rows(src: Path) -> tuple[list[Path], Dataset]:
    """The files, and the rows in them: those of all splits, in order of their names.

    Raises:
        BadFileError: if there are none, or they are damaged.
    """
    silent = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        files, rows = _read(src)
        rows.data.table.validate(full=True)  # memory-mapped data are not checked otherwise, and may point anywhere
    except BadFileError:
        raise
    except Exception as error:  # the errors of pyarrow and datasets have no common base
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadFileError(src, f"it is not a readable dataset ({why}); get it again") from error
    finally:
        if not silent:
            enable_progress_bars()
    return files, rows


def has_images_beside(rows: Dataset, column: str) -> bool:
    """Whether a column of images, which are not decoded, names files in place of any image."""
    return any(chunk.field("bytes").null_count for chunk in rows.data.column(column).chunks)


def _read(src: Path) -> tuple[list[Path], Dataset]:
    if not src.exists():
        raise BadFileError(src, "there is no such file or folder; check the path")
    files = [src] if src.is_file() else sorted([*src.rglob("*.arrow"), *src.rglob("*.parquet")])
    files = [file for file in files if file.suffix in {".arrow", ".parquet"} and not file.name.startswith("cache-")]
    if not files:
        raise BadFileError(src, "there are no .arrow or .parquet files in it; download the dataset first")
    if (src / "dataset_dict.json").exists() or (src / "state.json").exists():
        loaded = load_from_disk(str(src))
        return files, _joined(
            [loaded[split] for split in sorted(loaded)] if isinstance(loaded, DatasetDict) else [loaded]
        )
    return files, _joined([_file(file) for file in files])


def _file(file: Path) -> Dataset:
    return Dataset.from_parquet(str(file)) if file.suffix == ".parquet" else Dataset.from_file(str(file))


def _joined(parts: list[Dataset]) -> Dataset:
    return concatenate_datasets(parts) if len(parts) > 1 else parts[0]
