"""What a checkpoint claims to hold, compared with its file before torch believes it.

A few bytes can ask for gigabytes: as the size of a storage, or packed into a zip. And a zip has checksums, at which
torch does not look.
"""

from __future__ import annotations

import io
import zipfile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from dissection.errors import WeightsError

from .inert_pickles import InertUnpickler, Thing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LEGACY = 0x1950A86A20F9469CFC6C
"""What a file that torch wrote before 2020 begins with."""

STORAGES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("BoolStorage", "ByteStorage", "CharStorage", "QInt8Storage", "QUInt8Storage"), 1),
        **dict.fromkeys(("BFloat16Storage", "HalfStorage", "ShortStorage"), 2),
        **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
        **dict.fromkeys(("ComplexFloatStorage", "DoubleStorage", "LongStorage"), 8),
        "ComplexDoubleStorage": 16,
    }
)
"""Bytes of an element, by the class of its storage."""

_MAKES_MEMORY = ("Tensor", "Storage", "bytearray")
"""Endings of names that make memory out of a number if they are called."""

_DATA = "data.pkl"
_PIECE = 2**20


def refuse_claims(path: Path) -> None:
    """Check that a checkpoint holds as much as it says, and is as it was written.

    Raises:
        WeightsError: if it does not, or its pickles cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            _refuse_archive(path)
        else:
            _refuse_legacy(path)
    except WeightsError:
        raise
    except Exception as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> WeightsError:
    """The error for a file that cannot be read as weights."""
    reason = " ".join(str(error).split())[:120]
    shown = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return WeightsError(f"{path} is cut short or of another kind ({shown}); give safetensors or a saved state dict")


def _refuse_archive(path: Path) -> None:
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if len(infos) < len(archive.infolist()):
            raise WeightsError(f"{path} holds a record twice; do not trust it")
        unpacked = sum(info.file_size for info in infos.values())
        if unpacked > size or any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
            raise WeightsError(f"{path} was packed anew, to {unpacked} bytes; give the file as torch.save wrote it")
        for info in infos.values():
            with archive.open(info) as record:  # zipfile compares the checksum at the end
                while record.read(_PIECE):
                    pass
        for name in infos:
            if name.rpartition("/")[2] == _DATA:
                folder = name.removesuffix(_DATA)
                records = {f"{key}": info.file_size for key, info in infos.items()}
                for key, claim in _claims(io.BytesIO(archive.read(name))).items():
                    if claim > records.get(f"{folder}data/{key}", 0):
                        raise _too_much(path, claim)


def _refuse_legacy(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if InertUnpickler(file).load() != _LEGACY:
            return
        claims: dict[str, int] = {}
        for _ in range(3):  # the version, the machine, and what was saved
            claims |= _claims(file)
    if sum(claims.values()) > size:
        raise _too_much(path, sum(claims.values()))


def _too_much(path: Path, claim: int) -> WeightsError:
    return WeightsError(f"{path} claims to hold {claim} bytes, more than there are in it; do not trust it")


def _claims(file: BinaryIO) -> dict[str, int]:
    """The bytes of each storage that a pickle names."""
    surveyor = _Surveyor(file)
    surveyor.load()
    return surveyor.claims


class _Surveyor(InertUnpickler):
    """Notes what storages a pickle names, and refuses calls that make memory."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.claims: dict[str, int] = {}

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 -- whatever is in the file
        """Take in a storage: ``("storage", its class, its key, its device, its length)``, perhaps with a view of it.

        Old files name modules here too: ``("module", its class, its file, its code)``.
        """
        if pid[0] == "module":
            return pid[1]
        kind, storage, key, _, length, *_ = pid
        if kind != "storage" or not isinstance(length, int) or length < 0:
            raise ValueError(f"a storage is {kind!r:.20} of length {length!r:.20}")
        claim = length * _width(storage)
        self.claims[str(key)] = max(claim, self.claims.get(str(key), 0))
        return Thing()

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 -- a class
        """As usual, but what makes memory refuses to."""
        known = super().find_class(module, name)
        if name.endswith(_MAKES_MEMORY) and module.partition(".")[0] in {"torch", "builtins", "__builtin__"}:
            return type(name, (_Memory,), {"named": (module, name)})
        return known


class _Memory(Thing):
    """Stands for what makes memory out of a number, which no checkpoint needs."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        if any(isinstance(argument, int) for argument in (*args, *kwargs.values())):
            raise ValueError(f"{'.'.join(cls.named)} is called with a number")
        return super().__new__(cls, *args, **kwargs)


def _width(storage: object) -> int:
    """Bytes of an element of a storage's class; of one without a type, one."""
    return STORAGES.get(getattr(storage, "named", ("", ""))[1], 1)
