"""Weights are data: anything else is refused, and they are loaded whole or not at all."""

import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dissection.errors import WeightsError
from dissection.networks.weights import fit, read_weights


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
        "weights of a.pt do not fit Sequential: 1 missing (0.bias); "
        "5 unexpected (extra.0, extra.1, extra.2, ...); 1 misshapen (3.weight 5x4x1x1 instead of 2x4x1x1)"
    )
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
