"""How single precision is computed is a setting of the process: it is as before when the last network has run."""

import torch

from dissection.networks.precision import arithmetic

CPU = torch.device("cpu")


def settings() -> list[str]:
    return [torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision]


def test_networks_that_overlap_leave_the_settings_as_they_were():
    before = settings()
    first, second = arithmetic("float32", CPU), arithmetic("fast", CPU)
    first.__enter__()
    second.__enter__()
    assert settings() == ["tf32"] * 2
    first.__exit__(None, None, None)
    assert settings() == ["tf32"] * 2
    second.__exit__(None, None, None)
    assert settings() == before


def test_a_network_within_another_gives_the_settings_back():
    before = settings()
    with arithmetic("fast", CPU):
        with arithmetic("float32", CPU):
            assert settings() == ["ieee"] * 2
        assert settings() == ["tf32"] * 2
    assert settings() == before
