"""A photograph becomes exactly the tensor that torchvision would make of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.models import AlexNet_Weights, EfficientNet_B0_Weights, WeightsEnum

from dissection.errors import NetworkError
from dissection.networks.foreign_preprocessing import preprocessing_of
from dissection.networks.preprocessing import Preprocessing

MODES = {name: transforms.InterpolationMode(name) for name in ("bilinear", "bicubic", "lanczos")}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def gradient(width: int, height: int) -> Image.Image:
    """Red tells the column, green the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=2).astype(np.uint8))


sides = st.integers(3, 70)


@settings(max_examples=60, deadline=None)
@given(
    photo=st.tuples(sides, sides),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    resize=st.integers(5, 45) | st.tuples(st.integers(5, 45), st.integers(5, 45)),
    interpolation=st.sampled_from(sorted(MODES)),
)
def test_frame_is_torchvisions_resize_and_centre_crop(
    photo: tuple[int, int], size: tuple[int, int], resize: int | tuple[int, int], interpolation: str
) -> None:
    image = noise(*photo)
    expected = transforms.CenterCrop(size)(transforms.Resize(resize, MODES[interpolation])(image))
    frame = Preprocessing(size, resize, interpolation=interpolation).frame(image)
    assert frame.size == size[::-1]
    assert np.array_equal(np.asarray(frame), np.asarray(expected))


@pytest.mark.parametrize("weights", [AlexNet_Weights.DEFAULT, EfficientNet_B0_Weights.DEFAULT])
@pytest.mark.parametrize("size", [(501, 333), (97, 260), (224, 224)])
def test_published_presets_give_the_same_tensor(weights: WeightsEnum, size: tuple[int, int]) -> None:
    image = noise(*size)
    preprocessing = preprocessing_of(weights.transforms())
    assert torch.equal(preprocessing.tensor(preprocessing.frame(image)), weights.transforms()(image))


def test_whole_keeps_every_corner() -> None:
    image = Image.new("RGB", (90, 30), "black")
    image.paste("red", (0, 0, 10, 30))
    whole = Preprocessing((20, 20), 25).whole(image)
    assert whole.size == (20, 20)
    assert whole.getpixel((0, 10)) == (255, 0, 0)
    assert whole.getpixel((19, 10)) == (0, 0, 0)


@pytest.mark.parametrize("resize", [60, (60, 90)])
def test_view_is_the_frames_crop_at_the_photographs_resolution(resize: int | tuple[int, int]) -> None:
    image = gradient(180, 120)
    view = np.asarray(Preprocessing((30, 50), resize).view(image))
    assert view.shape[:2] == (60, 100)
    assert view[0, 0].tolist() == [40, 30, 0]
    assert view[-1, -1].tolist() == [139, 89, 0]


def test_photographs_of_other_modes_are_read_as_rgb() -> None:
    preprocessing = Preprocessing((8, 8), 8)
    grey = Image.new("L", (16, 16), 51)
    tensor = preprocessing.tensor(preprocessing.frame(grey.convert("RGBA")))
    expected = (torch.tensor(0.2) - torch.tensor(preprocessing.mean)) / torch.tensor(preprocessing.std)
    torch.testing.assert_close(tensor[:, 4, 4], expected)


@pytest.mark.parametrize("resize", [256, (256, 250)])
def test_canonical_text_is_the_whole_value(resize: int | tuple[int, int]) -> None:
    value = Preprocessing((227, 225), resize, (0, 0.5, 1), (1, 1, 2), "bicubic")
    assert Preprocessing.from_canonical(value.canonical) == value
    assert '"std":[1.0,1.0,2.0]' in value.canonical
    assert value.canonical != Preprocessing((227, 225), resize, (0, 0.5, 1), (1, 1, 2)).canonical


def test_changes() -> None:
    value = Preprocessing()
    assert value.changed() == value
    assert value.changed(input_size=448) == Preprocessing((448, 448), 512)
    assert value.changed(input_size=227, resize=(256, 256)) == Preprocessing((227, 227), (256, 256))
    assert Preprocessing((112, 112), (112, 112)).changed(input_size=56).resize == (56, 56)
    assert value.changed(mean=[0, 0, 0], std=None).std == value.std


def test_grey_is_pils_luma() -> None:
    image = noise(300, 200)
    preprocessing = Preprocessing((64, 64), 70, (0.5,), (0.25,), channels=1)
    frame = preprocessing.frame(image)
    expected = transforms.Compose([transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize(0.5, 0.25)])
    assert torch.equal(preprocessing.tensor(frame), expected(frame))
    pixels = torch.from_numpy(np.array(frame))[None]
    assert torch.equal(preprocessing.normalised(pixels)[0], expected(frame))


def test_grey_takes_the_luma_of_mean_and_deviation() -> None:
    grey = Preprocessing(mean=(1, 0.5, 0), std=(0.1, 0.1, 0.1)).changed(channels=1)
    assert grey.mean == pytest.approx((0.299 + 0.587 / 2,), abs=1e-4)
    assert grey.std == pytest.approx((0.1,))
    assert grey.changed(channels=1) == grey
    assert Preprocessing().changed(channels=1, mean=(0.5,), std=(0.5,)).mean == (0.5,)
    assert grey.changed(channels=3).mean == grey.mean * 3
    assert Preprocessing.from_canonical(grey.canonical) == grey


def test_colour_is_not_told_in_the_canonical_text() -> None:
    """Runs that were stored before grey was supported are still found."""
    assert Preprocessing().canonical == (
        '{"interpolation":"bilinear","mean":[0.485,0.456,0.406],"resize":256,"size":[224,224],'
        '"std":[0.229,0.224,0.225]}'
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (0, 5)}, "input size is"),
        ({"resize": -1}, "resize is"),
        ({"mean": (1, 2)}, "three numbers"),
        ({"std": (1, 0, 1)}, "above 0"),
        ({"std": (1, float("nan"), 1)}, "three numbers"),
        ({"interpolation": "nearest"}, "bilinear, bicubic"),
        ({"channels": 4}, "from which 4 channels cannot be made"),
        ({"channels": 1}, "one number is needed, for grey"),
    ],
)
def test_values_without_sense(wrong: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Preprocessing(**wrong)
