"""Audits of the network of scenes: every harbour is at the sea, and no cow is in one."""

import pytest

from dissection.concepts.generated import write_drawn
from dissection.concepts.layouts import open_concepts
from dissection.networks.opening import open_network
from dissection.scenes.scene import draw_scene
from dissection.scenes.words import SCENE_CLASSES
from neuronexplain.audit.effect.covering import AuditDraws
from neuronexplain.audit.effect.effect import audit_effect
from neuronexplain.audit.effect.named_network import NamedNetwork
from neuronexplain.audit.effect.photographs import audited_photographs

HARBOUR = SCENE_CLASSES.index("harbour")


@pytest.fixture(scope="module")
def named(demo):
    return NamedNetwork.from_store(open_network("scenes"), str(demo / "demo" / "scenes.db"))


@pytest.fixture(scope="module")
def harbours(tmp_path_factory):
    """Unseen scenes: of every two, a harbour and another."""
    folder = tmp_path_factory.mktemp("scenes") / "harbours"
    turns = range(14)
    numbers = [len(SCENE_CLASSES) * turn + place for turn in turns for place in (HARBOUR, turn % len(SCENE_CLASSES))]
    write_drawn(folder, (draw_scene(9, number) for number in numbers))
    return open_concepts(folder)


def test_a_harbour_leans_on_the_sea(named, harbours):
    photographs = audited_photographs(named.network.classes, HARBOUR, (), harbours)
    sea = audit_effect(named, named.leaning("harbour", "object/sea", harbours), photographs, draws=AuditDraws(2))
    assert [way.lean for way in sea.ways] == ["leans"] * 3
    assert sea.verdict.opening == "harbour leans on sea"
    assert len(sea.leaning.units) > 1


def test_a_harbour_does_not_lean_on_cows(named, harbours):
    photographs = audited_photographs(named.network.classes, HARBOUR, (), harbours)
    cows = audit_effect(named, named.leaning("harbour", "cow", harbours), photographs, draws=AuditDraws(2))
    neurons, pixels, _ = cows.ways
    assert neurons.lean == "no"
    assert (pixels.lean, pixels.remark) == ("unknown", "it is labelled in no photograph of the class")
