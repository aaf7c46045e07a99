"""Public names that have changed still work, and name their replacements."""

import pytest
from worlds import colour_concepts, colour_network

import neuronexplain
from db import NameStore
from neuronexplain._renamed import NAMES


@pytest.mark.parametrize("old", NAMES)
def test_an_old_name_is_the_new_one(old):
    with pytest.warns(DeprecationWarning, match=rf"neuronexplain\.{old} is now {NAMES[old]}") as warned:
        value = getattr(neuronexplain, old)
    first, *rest = NAMES[old].split(".")
    new = getattr(neuronexplain, first)
    assert value == (getattr(new, *rest) if rest else new)
    assert warned[0].filename == __file__
    assert old not in neuronexplain.__all__


def test_an_old_keyword_is_the_new_one(tmp_path):
    stages = []
    execution = neuronexplain.Execution(batch_size=4, progress=lambda stage, *_: stages.append(stage))
    with NameStore.create(tmp_path / "names.db") as store:
        with pytest.warns(DeprecationWarning, match="the argument means is now execution") as warned:
            neuronexplain.build(colour_network(), colour_concepts(8), store, min_images=1, means=execution)
        assert warned[0].filename == __file__
        with pytest.warns(DeprecationWarning, match="means"):
            neuronexplain.dissect(colour_network(), colour_concepts(8), min_images=1, means=execution)
    assert "looking at the photographs" in stages
