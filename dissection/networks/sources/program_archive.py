"""Looks into a program that ``torch.export.save`` wrote (``.pt2``) before torch reads it, and refuses code in it.

A program is a graph of torch's own operators, with tensors beside it. But torch unpickles whatever else the archive
holds (members of older versions, tensors said to be pickled, sample inputs that are no tensors), loads compiled
libraries, imports modules that a tree of arguments names, and evaluates shapes as Python. So only what a plain program
needs is let through: known members, tensors as raw bytes, operators by name, shapes that are arithmetic.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MEMBERS: Final = re.compile(
    r"archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id"
    r"|models/\w+\.json|data/sample_inputs/\w+\.pt"
    r"|data/weights/(weight_\d+|\w+_weights_config\.json)"
    r"|data/constants/(tensor_\d+|\w+_constants_config\.json)"
    r"|extra/[\w./-]+"
)
_OPERATORS: Final = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|higher_order)\.\w+(\.\w+)?|torch\._?sym_\w+|_operator\.\w+|math\.\w+"
)
_OPENS_FILES: Final = ("torch.ops.aten.from_file", "torch.ops.aten.save")
_TREES: Final = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
_SYMBOLIC: Final = {
    *("Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Mod", "Max", "Min", "Abs", "floor", "ceiling"),
    *("Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or", "Not"),
    *("FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift"),
    *("RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt", "RoundToInt"),
    *("RoundDecimal", "ToFloat", "Identity", "IsNonOverlappingAndDenseIndicator"),
}
"""What shapes are made of: sympy's own classes, and torch's functions of them."""
_ARITHMETIC: Final = (
    *(ast.Expression, ast.Load, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop),
)
"""Syntax that does nothing but arithmetic."""


_WORD: Final = re.compile(r"[A-Za-z_]\w*|[-+\d.e]+")
"""A symbol's name, or a number as text."""


class HoldsCodeError(ValueError):
    """An archive holds what a plain program does not need; the message says what."""


def require_plain(path: Path) -> None:
    """Check that opening an archive runs nothing but torch's own operators.

    Raises:
        HoldsCodeError: if it holds anything else.
        RuntimeError: if torch cannot read it.
        ValueError: if its parts are not what they should be; so also KeyError, TypeError and zipfile.BadZipFile.
    """
    reader = torch._C.PyTorchFileReader(str(path))  # noqa: SLF001 -- torch's own view of the archive, which counts
    members = reader.get_all_records()
    _require_members(path, members)
    for member in members:
        if member.startswith("models/"):
            _require_program(json.loads(reader.get_record(member)))
        elif member.endswith("_config.json"):
            folder = member.rpartition("/")[0]
            sizes = {name: reader.get_record_size(name) for name in members if name.startswith(f"{folder}/")}
            _require_tensors(json.loads(reader.get_record(member)), member, sizes)
        elif member.startswith("data/sample_inputs/"):
            _require_data(reader.get_record(member), member)


def _require_members(path: Path, members: list[str]) -> None:
    for member in members:
        if not _MEMBERS.fullmatch(member):
            raise HoldsCodeError(f"it holds {member!r}, which a program of tensors and operators does not need")
    with zipfile.ZipFile(path) as archive:  # with which torch reads archives of older versions
        entries = archive.infolist()
    roots = {entry.filename.partition("/")[0] for entry in entries}
    names = [entry.filename.partition("/")[2] for entry in entries]
    if len(roots) > 1 or sorted(names) != sorted(members) or len({name.lower() for name in names}) < len(names):
        raise HoldsCodeError("its members are not told alike by every reader of archives")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise HoldsCodeError("its members are compressed, which torch.export.save does not do")


def _require_tensors(config: dict[str, Any], member: str, sizes: Mapping[str, int]) -> None:
    """Tensors as bytes; where there are none, torch would take what happens to be in memory."""
    folder = member.rpartition("/")[0]
    for name, payload in config["config"].items():
        if payload["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
            raise HoldsCodeError(f"{member} has {name!r} as an object, not as a tensor")
        is_empty = any(side.get("as_int") == 0 for side in payload["tensor_meta"]["sizes"])
        if not sizes[f"{folder}/{payload['path_name']}"] and not is_empty:
            raise ValueError(f"the tensor {name!r} has no content")


def _require_data(content: bytes, member: str) -> None:
    if content:
        try:
            torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:
            raise HoldsCodeError(f"{member} holds more than tensors") from error


def _require_program(program: dict[str, Any]) -> None:
    for part in _parts(program):
        if {"target", "inputs", "outputs"} <= part.keys():
            _require_operator(part["target"])
        for name, value in part.items():
            if name == "expr_str":
                _require_arithmetic(value)
            elif name in {"in_spec", "out_spec"} and value:
                _require_tree(json.loads(value))


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a value."""
    remaining = [value]
    while remaining:
        part = remaining.pop()
        if isinstance(part, dict):
            yield part
            remaining.extend(part.values())
        elif isinstance(part, list):
            remaining.extend(part)


def _require_operator(target: str) -> None:
    if not _OPERATORS.fullmatch(target) or target.startswith(_OPENS_FILES):
        raise HoldsCodeError(f"it calls {target!r}, which is no operator of torch on tensors")


def _require_tree(tree: object) -> None:
    """A tree of arguments, of Python's own containers: others are imported by name."""
    for part in _parts(tree):
        context = json.loads(part["context"] or "null")
        keys = context if isinstance(context, list) else [context]
        if part["type"] not in _TREES or not all(isinstance(key, str | int | None) for key in keys):
            raise HoldsCodeError(f"its arguments are in a container of its own ({part['type']!r})")


def _require_arithmetic(expression: str) -> None:
    """A shape, which torch evaluates: numbers, symbols, and known functions of them."""
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise HoldsCodeError(f"the shape {expression[:80]!r} is not arithmetic") from error
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    allowed = {
        id(node)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in _SYMBOLIC
        for node in (call, call.func, *call.keywords)
    }
    for node in ast.walk(tree):
        is_value = isinstance(node, ast.Constant) and (
            isinstance(node.value, int | float) or (isinstance(node.value, str) and _WORD.fullmatch(node.value))
        )
        is_symbol = isinstance(node, ast.Name) and re.fullmatch(r"[suz]\d+|true|false", node.id) is not None
        if not (is_value or is_symbol or isinstance(node, _ARITHMETIC) or id(node) in allowed):
            raise HoldsCodeError(f"the shape {expression[:80]!r} is not arithmetic")
