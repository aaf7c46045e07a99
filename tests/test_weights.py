"""Weights are data: anything else is refused, and they are loaded whole or not at all."""

import math
import pickle
import re
import struct
import time
import tracemalloc
import warnings
import zipfile
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dissection.errors import NetworkError, NoteWarning, WeightsError
from dissection.networks.network_source import Source
from dissection.networks.opening import open_network
from dissection.networks.pickled_weights import convert_pickle, read_legacy
from dissection.networks.weights import WeightsFile, fit, read_weights


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def assert_state(state: dict[str, Tensor], net: nn.Module) -> None:
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
def test_safetensors_by_any_name(tmp_path: Path, net: nn.Module, name: str) -> None:
    save_file(net.state_dict(), tmp_path / name)
    assert_state(read_weights(tmp_path / name), net)


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict", "net"])
def test_checkpoints(tmp_path: Path, net: nn.Module, wrapper: str | None, modern: bool) -> None:
    content = net.state_dict() if wrapper is None else {"epoch": 3, wrapper: net.state_dict(), "lr": 0.1}
    torch.save(content, tmp_path / "c.pt", _use_new_zipfile_serialization=modern)
    assert_state(read_weights(str(tmp_path / "c.pt")), net)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_prefixes(tmp_path: Path, net: nn.Module, prefix: str) -> None:
    torch.save({prefix + name: value for name, value in net.state_dict().items()}, tmp_path / "c.pt")
    assert_state(read_weights(tmp_path / "c.pt"), net)


def test_a_network_with_one_part_called_module_keeps_its_names(tmp_path: Path) -> None:
    torch.save({"module.weight": torch.ones(1), "head.weight": torch.ones(1)}, tmp_path / "c.pt")
    assert read_weights(tmp_path / "c.pt").keys() == {"module.weight", "head.weight"}


class Trap:
    """Opening this as a pickle would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("modern", [True, False])
def test_code_is_refused_and_not_run(tmp_path: Path, modern: bool) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"state_dict": Trap(sprung)}, tmp_path / "c.pt", _use_new_zipfile_serialization=modern)
    with pytest.raises(WeightsError, match=r"holds code \(\S+\), which is refused.*weights convert") as caught:
        read_weights(tmp_path / "c.pt")
    assert "\n" not in str(caught.value)
    assert not sprung.exists()


def test_a_whole_module_is_refused_with_its_class(tmp_path: Path, net: nn.Module) -> None:
    torch.save(net, tmp_path / "c.pt")
    with pytest.raises(WeightsError, match=r"holds code \(torch\.nn\.modules\.container\.Sequential\)"):
        read_weights(tmp_path / "c.pt")


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(OrderedDict(a=Trap(tmp_path / "sprung"))))
    with pytest.raises(WeightsError, match="refused"):
        read_weights(tmp_path / "c.pkl")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["c.safetensors", "c.pt"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.98])
def test_truncated_files(tmp_path: Path, net: nn.Module, name: str, share: float) -> None:
    path = tmp_path / name
    if name == "c.pt":
        torch.save(net.state_dict(), path)
    else:
        save_file(net.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WeightsError, match=str(path)) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 1}, {}, torch.ones(2), {"state_dict": {"a": 1}}])
def test_files_without_a_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_weights(tmp_path / "c.pt")


def test_foreign_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"JFIF" * 99)
    for path in [tmp_path / "photo.jpg", tmp_path / "none.pt", tmp_path]:
        with pytest.raises(WeightsError, match="safetensors"):
            read_weights(path)


def test_fit_loads_every_tensor(net: nn.Module) -> None:
    state = {name: torch.full_like(value, 3) for name, value in net.state_dict().items()}
    fit(net, state, where="here")
    assert all((value == 3).all() for value in net.state_dict().values())


def test_weights_give_a_network_its_shapes() -> None:
    source, target = (nn.Sequential(nn.LazyConv2d(4, 1), nn.LazyBatchNorm2d()) for _ in range(2))
    source(torch.ones(2, 3, 3, 3))
    fit(target, source.state_dict(), where="a file")
    assert_state(target.state_dict(), source)


def test_old_files_lack_batch_counters(net: nn.Module) -> None:
    state = {name: torch.full_like(value, 3) for name, value in net.state_dict().items()}
    del state["1.num_batches_tracked"]
    fit(net, state, where="here")
    assert net[1].num_batches_tracked == 0
    assert (net[1].running_mean == 3).all()


def test_what_does_not_fit_leaves_the_module_untouched(net: nn.Module) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = {name: torch.full_like(value, 3) for name, value in before.items()}
    state["3.weight"] = torch.ones(5, 4, 1, 1)
    del state["0.bias"]
    state |= {f"extra.{index}": torch.ones(1) for index in range(5)}
    with pytest.raises(WeightsError) as caught:
        fit(net, state, where="a.pt")
    assert str(caught.value) == (
        "weights of a.pt do not fit Sequential: 1 missing (0.bias), "
        "5 unexpected (extra.0, extra.1, extra.2, ...), 1 misshapen (3.weight 5x4x1x1 instead of 2x4x1x1); "
        "give weights that were saved of it"
    )
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state["0.weight"].fill_(math.nan), "1 with a NaN or an infinity (0.weight)"),
        (lambda state: state["1.running_var"].fill_(-math.inf), "1 with a NaN or an infinity (1.running_var)"),
        (
            lambda state: state.update({"0.bias": torch.ones(4, dtype=torch.int64)}),
            "0.bias whole numbers instead",
        ),
        (lambda state: state.update({"0.bias": torch.ones(4, dtype=torch.bool)}), "1 of another kind"),
        (lambda state: state.update({"0.bias": torch.ones(4, dtype=torch.complex64)}), "complex numbers instead"),
    ],
)
def test_values_that_cannot_be_weights_are_refused(net: nn.Module, change: Any, words: str) -> None:
    state = {name: value.clone() for name, value in net.state_dict().items()}
    change(state)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(WeightsError, match=re.escape(words)):
        fit(net, state, where="here")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_mask_may_be_infinite_where_the_network_has_it_so(net: nn.Module) -> None:
    net.register_buffer("mask", torch.tensor([0.0, -math.inf, math.nan]))
    fit(net, {name: value.clone() for name, value in net.state_dict().items()}, where="here")
    for wrong in ([-math.inf, -math.inf, math.nan], [0.0, -math.inf, math.inf], [math.nan, -math.inf, math.nan]):
        with pytest.raises(WeightsError, match="mask"):
            fit(net, net.state_dict() | {"mask": torch.tensor(wrong)}, where="here")


def test_halves_and_doubles_fit_floats(net: nn.Module) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn):
        floats = {name: value.to(dtype) for name, value in net.state_dict().items() if value.is_floating_point()}
        fit(net, net.state_dict() | floats, where="here")


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "swa_state_dict"])
def test_averaged_weights_beside_raw_ones_are_told_of_and_can_be_taken(
    tmp_path: Path, net: nn.Module, key: str
) -> None:
    raw = net.state_dict()
    averaged = {f"module.{name}": torch.full_like(value, 3) for name, value in raw.items()}
    torch.save({"state_dict": raw, key: averaged | {"n_averaged": torch.tensor(9)}}, tmp_path / "c.pt")
    with pytest.warns(NoteWarning, match=rf"also holds averaged weights \({key}\).*--ema"):
        state = read_weights(tmp_path / "c.pt")
    assert_state(state, net)
    state = read_weights(WeightsFile(tmp_path / "c.pt", ema=True))
    assert state.keys() == raw.keys()
    assert all((value == 3).all() for value in state.values())


def test_what_holds_no_averaged_weights(tmp_path: Path, net: nn.Module) -> None:
    torch.save({"state_dict": net.state_dict(), "ema_decay": 0.9}, tmp_path / "c.pt")
    assert_state(read_weights(tmp_path / "c.pt"), net)
    with pytest.raises(WeightsError, match="no averaged weights"):
        read_weights(WeightsFile(tmp_path / "c.pt", ema=True))


def test_ema_is_kept_with_the_source(tmp_path: Path) -> None:
    module = open_network("scenes").module
    torch.save({"model": module.state_dict(), "ema": module.state_dict()}, tmp_path / "c.pt")
    network = open_network("scenes", weights=tmp_path / "c.pt", ema=True)
    assert network.source is not None
    assert Source.from_json(network.source.to_json()) == network.source
    assert network.source.ema
    assert "ema" not in Source("scenes").to_json()
    with pytest.raises(NetworkError, match="none is given"):
        open_network("scenes", ema=True)


def bounded(work: Callable[[], object]) -> str:
    """What a refusal says; it must come in seconds and with little memory."""
    tracemalloc.start()
    started = time.thread_time()
    try:
        with pytest.raises(WeightsError) as caught:
            work()
        assert time.thread_time() - started < 5
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pickled(path: Path, content: bytes) -> Path:
    """A checkpoint as torch writes them, with this pickle in it."""
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in records.items():
            archive.writestr(name, content if name.endswith("data.pkl") else data)
    return path


def legacy(path: Path, content: bytes) -> Path:
    header = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    path.write_bytes(b"".join(header) + content + pickle.dumps(["0"], 2) + struct.pack("<Q", 1) + bytes(4))
    return path


STORAGE = b"((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0\x30X\3\0\0\0cpuJ\xff\xff\xff\x3ftQ"
NUMBER = b"\x8b" + struct.pack("<i", 10**6) + b"\1" * 10**6
HOSTILE = {
    "a memo of gigabytes": b"\x80\2}r\xff\xff\xff\x7f.",
    "a storage of gigabytes": b"\x80\2" + STORAGE[1:] + b".",
    "a bytearray of gigabytes": b"\x80\2cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "a tensor of gigabytes": b"\x80\2ctorch\nFloatTensor\nJ\xff\xff\xff\x7f\x85R.",
    "a text of gigabytes": b"\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "a key that takes for ever to hash": b"\x80\2}()" + b"q\0h\0\x86" * 200 + b"K\1u.",
    "a set that takes for ever to hash": b"\x80\2cbuiltins\nset\n])" + b"q\0h\0\x86" * 200 + b"a\x85R.",
    "a frozenset that takes for ever to hash": b"\x80\4()" + b"\x94h\0\x86" * 200 + b"\x91.",
    "a counter that takes for ever to hash": b"\x80\2ccollections\nCounter\n])" + b"q\0h\0\x86" * 200 + b"a\x85R.",
    "numbers that take for ever to hash": b"\x80\2}(" + NUMBER + b"q\0" + b"K\1h\0" * 10**4 + b"K\1u.",
    "pairs that take for ever to hash": b"\x80\2ccollections\nOrderedDict\n]])" + b"q\0h\0\x86" * 200 + b"aK\1aa\x85R.",
    "a state dict that holds itself": b"\x80\2}q\0X\x0a\0\0\0state_dicth\0s.",
    "nothing": b"",
}


@pytest.mark.parametrize("write", [pickled, legacy])
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_checkpoints_are_refused_in_seconds_and_little_memory(
    tmp_path: Path, write: Callable[[Path, bytes], Path], content: bytes
) -> None:
    path = write(tmp_path / "c.pt", content)
    bounded(lambda: read_weights(path))
    bounded(lambda: convert_pickle(path, tmp_path / "new.safetensors"))
    assert not (tmp_path / "new.safetensors").exists()


def test_a_checkpoint_that_was_packed_anew_is_refused(tmp_path: Path, net: nn.Module) -> None:
    torch.save({"weight": torch.zeros(10**6)}, tmp_path / "c.pt")
    with zipfile.ZipFile(tmp_path / "c.pt") as old, zipfile.ZipFile(tmp_path / "new.pt", "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED)
    assert "packed anew" in bounded(lambda: read_weights(tmp_path / "new.pt"))


def test_a_changed_bit_in_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    torch.save({"weight": torch.arange(64.0)}, tmp_path / "c.pt")
    data = (tmp_path / "c.pt").read_bytes()
    place = data.index(torch.arange(64.0).numpy().tobytes())
    for bit in range(0, 8 * 256, 97):
        changed = bytearray(data)
        changed[place + bit // 8] ^= 1 << bit % 8
        (tmp_path / "c.pt").write_bytes(changed)
        with pytest.raises(WeightsError, match="CRC"):
            read_weights(tmp_path / "c.pt")


@pytest.mark.parametrize("modern", [True, False])
def test_any_damage_is_one_line(tmp_path: Path, net: nn.Module, modern: bool) -> None:
    torch.save({"model": net.state_dict(), "epoch": 3}, tmp_path / "c.pt", _use_new_zipfile_serialization=modern)
    whole, random = (tmp_path / "c.pt").read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(whole)
        for place in random.integers(0, min(len(whole), 1500), 3):
            changed[place] = random.integers(0, 256)
        (tmp_path / "c.pt").write_bytes(changed)
        for read in (read_weights, lambda path: read_legacy(WeightsFile(path))):
            try:
                read(tmp_path / "c.pt")
            except WeightsError as error:
                assert "\n" not in str(error)  # noqa: PT017 -- not all damage is an error


def test_etc_passwd_is_no_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0:root:/root:/bin/bash\n" * 40)
    assert "give safetensors or a saved state dict" in bounded(lambda: read_weights(path))


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(6.0).reshape(2, 3))
        self.weight.axis = "units"
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.register_buffer("none", None)
        self.register_parameter("bias", None)
        self.small = nn.Parameter(torch.ones(4).to(torch.float8_e4m3fn), requires_grad=False)
        self.short = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
        self.part = nn.Linear(3, 2)
        self.tied = self.part
        self.last = nn.BatchNorm2d(2)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("modern", [True, False])
def test_a_whole_model_gives_exactly_its_state_dict(tmp_path: Path, modern: bool, protocol: int) -> None:
    model = Odd()
    if not modern:
        del model.small  # torch itself cannot read 8-bit floats from such files
    content = {"model": model, "epoch": 3}
    torch.save(content, tmp_path / "c.pt", _use_new_zipfile_serialization=modern, pickle_protocol=protocol)
    assert convert_pickle(tmp_path / "c.pt", tmp_path / "new.safetensors") == len(model.state_dict())
    state = load_file(tmp_path / "new.safetensors")
    assert sorted(state) == sorted(model.state_dict())
    for name, value in model.state_dict().items():
        assert state[name].dtype == value.dtype
        assert torch.equal(state[name].float(), value.float())
    model.load_state_dict(state)


def trained(net: nn.Module) -> dict[str, object]:
    """An optimizer and schedulers after one step."""
    optimizer = torch.optim.Adam(net.parameters())
    sum(weight.sum() for weight in net.parameters()).backward()
    optimizer.step()
    milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4])
    return {"optimizer": optimizer, "schedulers": [milestones, torch.optim.lr_scheduler.StepLR(optimizer, 2)]}


BESIDE_WEIGHTS = {
    "an optimizer and its schedulers": trained,
    "the last losses": lambda _: [deque([1.0, 2.0], maxlen=5), deque(maxlen=2), deque([1.0])],
    "a counter": lambda _: [Counter("abc"), Counter()],
    "settings by type": lambda _: {torch.float16: 1, nn.Conv2d: 2, int: 3, frozenset: 4, torch.relu: 5, None: 6},
    "settings by tuples": lambda _: {("a", ("b", (1, torch.float16))): 1, torch.Size([1, 2]): 2},
    "settings by sets": lambda _: {frozenset("ab"): 1, frozenset([frozenset("a"), ("b", 1)]): 2, frozenset(): 3},
    "sets": lambda _: [{torch.float16, nn.Conv2d}, {frozenset("a"), ("b", (1, 2))}, frozenset([frozenset([1])]), set()],
    "states by tensor": lambda net: {net[0].weight: 1, torch.ones(2): 2},
    "an ordered mapping": lambda _: OrderedDict({nn.Conv2d: 1, torch.float16: 2, ("a", ("b",)): 3}),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("beside", BESIDE_WEIGHTS.values(), ids=BESIDE_WEIGHTS)
def test_what_else_a_checkpoint_holds_does_not_matter(
    tmp_path: Path, net: nn.Module, beside: Callable[[nn.Module], object], modern: bool, protocol: int
) -> None:
    content = {"model": net.state_dict(), "epoch": 3, "beside": beside(net)}
    path, target = tmp_path / "c.pt", tmp_path / "new.safetensors"
    torch.save(content, path, _use_new_zipfile_serialization=modern, pickle_protocol=protocol)
    convert_pickle(path, target)
    assert load_file(target).keys() == net.state_dict().keys()
    try:
        with warnings.catch_warnings(action="ignore"):
            torch.load(path, weights_only=True)
    except pickle.UnpicklingError:
        return
    assert read_weights(path).keys() == net.state_dict().keys()


def test_a_module_that_holds_itself_is_refused(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model._modules["again"] = model
    torch.save(model, tmp_path / "c.pt")
    assert "holds itself" in bounded(lambda: convert_pickle(tmp_path / "c.pt", tmp_path / "new.safetensors"))


def test_averaged_models_can_be_converted(tmp_path: Path, net: nn.Module) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(net)
    torch.save({"model": net, "model_ema": averaged}, tmp_path / "c.pt")
    with pytest.warns(NoteWarning, match="model_ema"):
        convert_pickle(tmp_path / "c.pt", tmp_path / "raw.safetensors")
    convert_pickle(tmp_path / "c.pt", tmp_path / "ema.safetensors", ema=True)
    assert load_file(tmp_path / "ema.safetensors").keys() == net.state_dict().keys()


def test_tensors_that_repeat_themselves_beyond_reason_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1).expand(10**9)}, tmp_path / "c.pt")
    said = bounded(lambda: convert_pickle(tmp_path / "c.pt", tmp_path / "new.safetensors"))
    assert "its tensors 4000000000, since they share their values; save them with .clone()" in said


@pytest.mark.parametrize(
    ("network", "last"),
    [("scenes", "classifier.4"), ("squeezenet1_1", "classifier.1"), ("timm/resnet10t", "fc")],
)
def test_a_last_layer_without_rows_is_refused(network: str, last: str, tmp_path: Path) -> None:
    """Its rows would say how many classes there are."""
    if network.startswith("timm/"):
        pytest.importorskip("timm")
    save_file({f"{last}.weight": torch.tensor(1.0)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="do not fit"):
        open_network(network, weights=tmp_path / "a.safetensors")
