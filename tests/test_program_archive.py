"""Programs (.pt2) that would run code when torch opens them: each is refused in one line, and nothing has run."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from dissection.errors import NetworkError
from dissection.networks.opening import open_network
from dissection.networks.sources.program_archive import HoldsCodeError, require_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own parts

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    body = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)
    module, images = nn.Sequential(*body).eval(), torch.randn(2, 3, 16, 16)
    path = tmp_path_factory.mktemp("programs") / "good.pt2"
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (images,), dynamic_shapes=shapes), path)
    return path


class Evil:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self._mark)!r}, 'w')",)


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members, *, kind: int = zipfile.ZIP_STORED, root: str = "good/") -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(f"{root}{name}", content)
    return path


def changed(members: Members, name: str, change: Callable[[dict], object]) -> Members:
    value = json.loads(members[name])
    change(value)
    return members | {name: json.dumps(value).encode()}


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


MODEL, WEIGHTS, CONSTANTS = (
    "models/model.json",
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
)


def shape(expression: str) -> Callable[[Members, Path], Members]:
    def change(members: Members, mark: Path) -> Members:
        def put(program: dict) -> None:
            sizes = program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"]
            sizes[0] = {"as_expr": {"expr_str": expression.replace("MARK", repr(str(mark))), "hint": None}}

        return changed(members, MODEL, put)

    return change


def operator(target: str) -> Callable[[Members, Path], Members]:
    return lambda members, mark: changed(
        members, MODEL, lambda program: program["graph_module"]["graph"]["nodes"][0].update(target=target)
    )


def tree(node: dict) -> Callable[[Members, Path], Members]:
    def change(members: Members, mark: Path) -> Members:
        (mark.parent / "imported.py").write_text(f"open({str(mark)!r}, 'w')\nfactory = list\n")

        def put(program: dict) -> None:
            (call,) = (one for one in program["graph_module"]["module_call_graph"] if not one["fqn"])
            call["signature"]["in_spec"] = json.dumps([1, node])

        return changed(members, MODEL, put)

    return change


def pickled_weight(members: Members, mark: Path) -> Members:
    def put(config: dict) -> None:
        next(iter(config["config"].values())).update(use_pickle=True)

    return changed(members, WEIGHTS, put) | {"data/weights/weight_0": pickled(Evil(mark))}


def object_constant(prefix: str) -> Callable[[Members, Path], Members]:
    def change(members: Members, mark: Path) -> Members:
        payload = {"path_name": f"{prefix}0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        config = {"config": {"evil": payload}}
        content = pickle.dumps(Evil(mark))
        return members | {CONSTANTS: json.dumps(config).encode(), f"data/constants/{prefix}0": content}

    return change


ATTACKS: dict[str, tuple[Callable[[Members, Path], Members], str]] = {
    "evaluated shape": (shape("open(MARK, 'w')"), "is not arithmetic"),
    "shape of an attribute": (shape("().__class__.__base__"), "is not arithmetic"),
    "shape with a lambda": (shape("(lambda: 1)()"), "is not arithmetic"),
    "shape with a long name": (shape("Symbol(__import__('os').getcwd())"), "is not arithmetic"),
    "symbol that is code": (shape("Symbol('open(1)')"), "is not arithmetic"),
    "shape in a comprehension": (shape("[x for x in (1,)][0]"), "is not arithmetic"),
    "no shape": (shape("1 +"), "is not arithmetic"),
    "operator of another library": (operator("torch.ops.evil.run.default"), "no operator of torch"),
    "function of torch": (operator("torch.hub.load"), "no operator of torch"),
    "extension": (operator("#evil"), "no operator of torch"),
    "operator that opens files": (operator("torch.ops.aten.from_file.default"), "no operator of torch"),
    "enumeration that is imported": (
        tree({"type": "builtins.dict", "context": '[{"__enum__": true, "fqn": "imported:X"}]', "children_spec": []}),
        "a container of its own",
    ),
    "factory that is imported": (
        tree(
            {
                "type": "collections.defaultdict",
                "context": '{"default_factory_module": "imported", "default_factory_name": "factory"}',
                "children_spec": [],
            }
        ),
        "a container of its own",
    ),
    "pickled weight": (pickled_weight, "as an object, not as a tensor"),
    "pickled constant": (object_constant("tensor_"), "as an object, not as a tensor"),
    "opaque constant": (object_constant("opaque_obj_"), "which a program of tensors"),
    "custom constant": (object_constant("custom_obj_"), "which a program of tensors"),
    "pickled inputs": (
        lambda members, mark: members | {"data/sample_inputs/model.pt": pickled((Evil(mark),))},
        "holds more than tensors",
    ),
    "weights of an older version": (
        lambda members, mark: members | {"data/weights/model.pt": pickled({"evil": Evil(mark)})},
        "which a program of tensors",
    ),
    "constants of an older version": (
        lambda members, mark: members | {"data/constants/model.pt": pickled({"evil": Evil(mark)})},
        "which a program of tensors",
    ),
    "compiled library": (
        lambda members, mark: members | {"data/aotinductor/model/model.so": b"\x7fELF"},
        "which a program of tensors",
    ),
    "anything unknown": (lambda members, mark: members | {"data/more": b""}, "which a program of tensors"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_archive_that_would_run_code_is_refused(
    attack: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, message = ATTACKS[attack]
    monkeypatch.syspath_prepend(tmp_path)
    path = write(tmp_path / "evil.pt2", change(members_of(good), tmp_path / "ran"))
    with pytest.raises(
        NetworkError, match=f"evil.pt2 is refused, since opening it could run anything: .*{message}"
    ) as told:
        open_network(str(path))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "ran").exists()


def test_an_archive_of_an_older_version_is_refused(good: Path, tmp_path: Path) -> None:
    content = {"version": b"8.0", "serialized_exported_program.json": members_of(good)[MODEL]}
    evil = {f"serialized_{name}.pt": pickled(Evil(tmp_path / "ran")) for name in ("state_dict", "constants")}
    for root in ("", "old/"):
        path = write(tmp_path / "old.pt2", content | evil | {"serialized_example_inputs.pt": b""}, root=root)
        with pytest.raises(NetworkError, match=r"old\.pt2 is "):
            open_network(str(path))
    assert not (tmp_path / "ran").exists()


def test_members_that_readers_would_take_for_others_are_refused(good: Path, tmp_path: Path) -> None:
    members = members_of(good)
    with pytest.raises(HoldsCodeError, match="compressed"):
        require_plain(write(tmp_path / "small.pt2", members, kind=zipfile.ZIP_DEFLATED))
    twice = write(tmp_path / "twice.pt2", members)
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(f"good/{MODEL}", b"{}")
    with pytest.raises((HoldsCodeError, RuntimeError)):
        require_plain(twice)
    beside = write(tmp_path / "beside.pt2", members)
    with zipfile.ZipFile(beside, "a") as archive:
        archive.writestr("version", b"8.0")
    with pytest.raises((HoldsCodeError, RuntimeError)):
        require_plain(beside)


@pytest.mark.parametrize("part", [MODEL, WEIGHTS, CONSTANTS, "data/sample_inputs/model.pt", "archive_version"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'"x"', b"\xff", b"null", b'{"config": 7}'])
def test_parts_that_are_damaged_are_said_in_one_line(part: str, content: bytes, good: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "damaged.pt2", members_of(good) | {part: content})
    if (part, content) == ("data/sample_inputs/model.pt", b""):  # a program needs none
        assert open_network(str(path)).layer.units == 5
        return
    with pytest.raises(NetworkError, match=r"damaged\.pt2 is ") as told:
        open_network(str(path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("length", [0, 1, 4, 8, 500])
def test_torch_tells_nothing_of_a_damaged_program(
    length: int, good: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    members = members_of(good)
    path = write(
        tmp_path / "damaged.pt2", members | {"data/weights/weight_0": members["data/weights/weight_0"][:length]}
    )
    with pytest.raises(NetworkError, match=r"damaged\.pt2 is not a program that this torch can open"):
        open_network(str(path))
    assert capfd.readouterr() == ("", "")


def test_what_torch_writes_is_plain(good: Path, tmp_path: Path) -> None:
    require_plain(good)
    assert open_network(str(good)).layer.units == 5
    assert open_network(str(write(tmp_path / "again.pt2", members_of(good)))).layer.units == 5

    class Resized(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            size = (images.shape[2] * 2 // 3 + 1, images.shape[3] - 1)
            return nn.functional.interpolate(images, size).flatten(1).mean(1, keepdim=True)

    dims = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    program = torch.export.export(Resized(), (torch.randn(2, 3, 16, 20),), dynamic_shapes=(dims,))
    torch.export.save(program, tmp_path / "sizes.pt2", extra_files={"notes.txt": "by Ada"})
    require_plain(tmp_path / "sizes.pt2")
