"""The control of a build: the same network with shuffled weights, and which names survive it."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from worlds import colour_concepts, colour_network, write_colour_folder

from db import NameStore
from dissection.concepts.plain_layout import PlainLayout
from dissection.dissect import dissect
from dissection.execution.settings import Execution
from dissection.networks.network import Network
from dissection.vocabulary import MIN_IOU
from neuronexplain.building import build
from neuronexplain.control import held_against, survivors, with_shuffled_weights

DRAWS = 9


@pytest.fixture
def concepts(tmp_path):
    return PlainLayout(write_colour_folder(tmp_path / "squares"), label_size=32)


def tensors(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.module.state_dict().items()}


def test_shuffled_weights_are_the_same_numbers_in_another_order():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)).eval()
    module(torch.rand(2, 3, 224, 224))
    network = Network.from_module(module)
    before = tensors(network)
    shuffled = with_shuffled_weights(network)
    assert shuffled.fingerprint != network.fingerprint
    for name, tensor in tensors(shuffled).items():
        assert torch.equal(before[name].flatten().sort().values, tensor.flatten().sort().values)
        assert torch.equal(before[name], network.module.state_dict()[name])
    assert not torch.equal(before["0.weight"], shuffled.module.state_dict()["0.weight"])
    assert with_shuffled_weights(network).fingerprint == shuffled.fingerprint


def test_each_name_is_held_against_the_greatest_iou_of_the_control():
    dissection = dissect(colour_network(), colour_concepts(40), draws=DRAWS)
    control = dissect(with_shuffled_weights(colour_network()), colour_concepts(40))
    survived = 0
    held = held_against(dissection, control)
    for unit in held.units:
        rivals = [
            overlap.iou for other in control.units for overlap in other.overlaps if overlap.concept == unit.best.concept
        ]
        assert unit.evidence.control == max([0.0, *rivals])
        survived += unit.best.iou >= MIN_IOU and unit.best.iou > unit.evidence.control
    assert survivors(held.names(MIN_IOU).values(), held.units) == survived
    assert survivors(control.names(MIN_IOU).values(), held_against(control, control).units) == 0


def test_a_control_is_kept_and_changes_no_other_evidence(tmp_path, concepts):
    network = colour_network()
    before = tensors(network)
    with NameStore.create(tmp_path / "n.db") as store:
        plain = build(network, concepts, store, draws=DRAWS).run
        held = build(network, concepts, store, draws=DRAWS, control=True, execution=Execution(scratch=tmp_path)).run
        assert plain.key != held.key
        assert build(network, concepts, store, draws=DRAWS, control=True).is_new is False
        control = dissect(with_shuffled_weights(network), concepts)
        assert (plain.control, held.control) == (None, len(control.names(MIN_IOU)))
        for unit, expected in zip(store.dissection(held).units, store.dissection(plain).units, strict=True):
            assert unit.evidence.control is not None
            assert replace(unit, evidence=replace(unit.evidence, control=None)) == expected
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors(network).items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.db", "squares"]


def test_a_control_without_draws_is_refused(tmp_path, concepts):
    with NameStore.create(tmp_path / "n.db") as store, pytest.raises(ValueError, match="give some draws"):
        build(colour_network(), concepts, store, draws=0, control=True)
