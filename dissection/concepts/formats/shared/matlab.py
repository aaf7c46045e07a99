"""MATLAB files as data: matrices and structures; for bad content, an error that names the file."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from dissection.concepts.problems import BadFileError

from .matlab_elements import check_elements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Int32

# What scipy is known to raise on damaged files; NotImplementedError stands for MATLAB 7.3 files, which are HDF5.
_DAMAGE = (
    OSError,
    MatReadError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    MemoryError,
    EOFError,
    struct.error,
    zlib.error,
)


def read_variable(file: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file.

    Raises:
        BadFileError: if the file cannot be read or has no such variable.
    """
    try:
        data = file.read_bytes()
        check_elements(data)
        variables = loadmat(BytesIO(data), variable_names=[name])  # type: ignore[arg-type] # files do, say scipy's docs
    except FileNotFoundError:
        raise BadFileError(file, "there is no such file; check that the dataset is complete") from None
    except _DAMAGE as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise BadFileError(file, f"it is not a readable MATLAB file ({why}); get it again") from error
    if name not in variables:
        raise BadFileError(file, f"there is no {name} in it; check that it is a file of this dataset")
    return np.asarray(variables[name])


def structures(file: Path, value: np.ndarray, *fields: str) -> Iterator[dict[str, np.ndarray]]:
    """The structures in an array, as dictionaries of these fields; an empty array has none."""
    if not value.size:
        return
    missing = [field for field in fields if field not in (value.dtype.names or ())]
    if missing:
        raise BadFileError(file, f"a structure has no field {', '.join(missing)}; check that the file is whole")
    for record in value.ravel():
        yield {field: np.asarray(record[field]) for field in fields}


def matlab_text(file: Path, value: np.ndarray) -> str:
    """A string."""
    if value.size != 1 or not isinstance(value.item(), str):
        raise BadFileError(file, f"{value!r:.40} was found where a name is needed; check that the file is whole")
    return str(value.item())


def matrix(file: Path, value: np.ndarray, name: str) -> Int32[np.ndarray, "h w"]:
    """A matrix of whole numbers from 0."""
    if value.ndim != 2 or value.dtype.kind not in "buif" or not value.size:
        raise BadFileError(file, f"{name} is {value.dtype} of shape {value.shape}; a matrix of numbers is needed")
    numbers = value.astype(np.int32)
    if value.dtype.kind not in "bu" and ((numbers != value).any() or numbers.min() < 0):
        raise BadFileError(file, f"{name} holds numbers that cannot be labels; whole numbers from 0 are needed")
    return numbers
