"""Other libraries' transforms are read exactly, or the step that cannot be is named."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import unchecked
from torch import nn
from torchvision import transforms as v1
from torchvision.models import AlexNet_Weights, EfficientNet_B0_Weights, Inception_V3_Weights, ViT_B_16_Weights
from torchvision.models.segmentation import FCN_ResNet50_Weights
from torchvision.transforms import InterpolationMode, v2
from worlds import PLAIN, colour_net

from dissection.errors import AssumedPreprocessingWarning, NetworkError
from dissection.networks.foreign_preprocessing import preprocessing_of
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing

SIZES = [(501, 333), (333, 501), (97, 260), (224, 224), (40, 31), (7, 300), (1, 1), (640, 427)]
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
FLOAT = torch.float32


def photograph(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def theirs(transforms, image: Image.Image) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that photographs are antialiased whatever is asked
        result = transforms(image)
    return result.as_subclass(torch.Tensor)


def ours(preprocessing: Preprocessing, image: Image.Image) -> torch.Tensor:
    return preprocessing.tensor(preprocessing.frame(image))


def fields(preprocessing: Preprocessing) -> tuple:
    return preprocessing.size, preprocessing.resize, preprocessing.interpolation


EXACT = {
    "preset": AlexNet_Weights.DEFAULT.transforms(),
    "preset, bicubic": EfficientNet_B0_Weights.DEFAULT.transforms(),
    "preset at 299": Inception_V3_Weights.DEFAULT.transforms(),
    "preset at 384": ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1.transforms(),
    "v1": v1.Compose([v1.Resize(73), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "v1, two sides": v1.Compose([v1.Resize((70, 50)), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "v1, list of one": v1.Compose([v1.Resize([73]), v1.CenterCrop([64]), v1.ToTensor()]),
    "v1, oblong crop": v1.Compose([v1.Resize(80), v1.CenterCrop((60, 71)), v1.ToTensor(), v1.Normalize(MEAN, STD)]),
    "v1, squashed, then cropped": v1.Compose([v1.Resize((80, 90)), v1.CenterCrop(64), v1.ToTensor()]),
    "v1, crop larger than the photograph": v1.Compose(
        [v1.Resize(40), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(MEAN, STD)]
    ),
    "v1, bicubic": v1.Compose([v1.Resize(73, InterpolationMode.BICUBIC), v1.CenterCrop(64), v1.ToTensor()]),
    "v1, lanczos": v1.Compose([v1.Resize(73, InterpolationMode.LANCZOS), v1.CenterCrop(64), v1.ToTensor()]),
    "v1, not antialiased, which photographs are anyway": v1.Compose(
        [v1.Resize(73, antialias=False), v1.CenterCrop(64), v1.ToTensor()]
    ),
    "v1, tensor, then floats": v1.Compose(
        [v1.Resize(73), v1.PILToTensor(), v1.CenterCrop(64), v1.ConvertImageDtype(FLOAT), v1.Normalize(MEAN, STD)]
    ),
    "v1, crop after Normalize": v1.Compose([v1.Resize(73), v1.ToTensor(), v1.Normalize(MEAN, STD), v1.CenterCrop(64)]),
    "v1, one mean for all": v1.Compose([v1.Resize(73), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize([0.5], [0.25])]),
    "v1, tensors as mean": v1.Compose(
        [v1.Resize(73), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(torch.tensor(MEAN), torch.tensor(STD))]
    ),
    "v1, grey": v1.Compose(
        [v1.Resize(73), v1.CenterCrop(64), v1.Grayscale(), v1.ToTensor(), v1.Normalize([0.5], [0.25])]
    ),
    "v1, nested": v1.Compose([v1.Compose([v1.Resize(73), v1.CenterCrop(64)]), nn.Identity(), v1.ToTensor()]),
    "v2": v2.Compose([v2.RGB(), v2.Resize(73), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(FLOAT, scale=True)]),
    "v2, normalised": v2.Compose(
        [
            v2.Resize((70, 70), InterpolationMode.BICUBIC, antialias=True),
            v2.CenterCrop(64),
            v2.PILToTensor(),
            v2.ToDtype(FLOAT, scale=True),
            v2.Normalize(MEAN, STD),
            v2.ToPureTensor(),
        ]
    ),
    "v2, crop of the tensor": v2.Compose(
        [v2.Resize(40), v2.ToImage(), v2.CenterCrop(64), v2.ToDtype(FLOAT, scale=True), v2.Normalize(MEAN, STD)]
    ),
    "v2, up to 255": v2.Compose(
        [
            v2.Resize(73),
            v2.CenterCrop(64),
            v2.ToImage(),
            v2.ToDtype(FLOAT, scale=False),
            v2.Normalize([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]),
        ]
    ),
    "sequence of modules": nn.Sequential(
        v1.Resize(73), v1.CenterCrop(64), v2.PILToTensor(), v1.ConvertImageDtype(FLOAT), v1.Normalize(MEAN, STD)
    ),
}
ROUNDED = {name for name in EXACT if name.startswith("v2")}
"""What multiplies by 1/255, or normalises numbers up to 255, is rounded otherwise in single precision."""


@pytest.mark.parametrize("name", EXACT)
def test_transforms_are_read_exactly(name: str) -> None:
    preprocessing = preprocessing_of(EXACT[name])
    for size in SIZES:
        image = photograph(*size)
        expected, tensor = theirs(EXACT[name], image), ours(preprocessing, image)
        if name in ROUNDED:
            torch.testing.assert_close(tensor, expected, rtol=0, atol=1e-6)
        else:
            assert torch.equal(tensor, expected), size


def test_mean_given_as_tensors_is_the_same_preprocessing() -> None:
    """Single precision is no other spelling of a run's key."""
    assert preprocessing_of(EXACT["v1, tensors as mean"]) == preprocessing_of(EXACT["v1"])


RESIZE, CROP, TENSOR, NORMAL = v1.Resize(73), v1.CenterCrop(64), v1.ToTensor(), v1.Normalize(MEAN, STD)


class MyResize(v1.Resize):
    def forward(self, img):
        return img.rotate(90)


REFUSED = {
    "random": (v1.Compose([v1.RandomResizedCrop(64), TENSOR]), "the step RandomResizedCrop"),
    "flip": (v1.Compose([RESIZE, CROP, v1.RandomHorizontalFlip(), TENSOR]), "the step RandomHorizontalFlip"),
    "function": (v1.Compose([RESIZE, CROP, v1.Lambda(lambda image: image), TENSOR]), "the step Lambda"),
    "own function": (v1.Compose([RESIZE, CROP, photograph, TENSOR]), "the step photograph"),
    "subclass": (v1.Compose([MyResize(73), CROP, TENSOR]), "the step MyResize"),
    "nearest": (v1.Compose([v1.Resize(73, InterpolationMode.NEAREST), CROP, TENSOR]), "interpolation is nearest"),
    "box": (v1.Compose([v1.Resize(73, InterpolationMode.BOX), CROP, TENSOR]), "interpolation is box"),
    "longer side": (v1.Compose([v1.Resize(73, max_size=90), CROP, TENSOR]), "max_size"),
    "longer side only": (v2.Compose([v2.Resize(None, max_size=90), v2.ToImage()]), "max_size"),
    "resize of a tensor": (v1.Compose([TENSOR, v1.Resize(73, antialias=True), CROP]), "Resize.*put it first"),
    "resize of an image tensor": (v2.Compose([v2.ToImage(), v2.Resize(73), v2.CenterCrop(64)]), "Resize.*put it first"),
    "resize of grey": (v1.Compose([v1.Grayscale(), RESIZE, CROP, TENSOR]), "after Grayscale it rounds otherwise"),
    "grey of a tensor": (v1.Compose([RESIZE, CROP, TENSOR, v1.Grayscale()]), "the step Grayscale"),
    "grey as three": (v1.Compose([RESIZE, CROP, v1.Grayscale(3), TENSOR]), "the step Grayscale"),
    "colour of grey": (v2.Compose([v2.Resize(73), v2.Grayscale(), v2.RGB(), v2.ToImage()]), "the step RGB"),
    "two resizes": (v1.Compose([RESIZE, RESIZE, CROP, TENSOR]), "resized or cropped before"),
    "resize after crop": (v1.Compose([RESIZE, CROP, RESIZE, TENSOR]), "resized or cropped before"),
    "two crops": (v1.Compose([RESIZE, CROP, CROP, TENSOR]), "no other CenterCrop"),
    "crop alone": (v1.Compose([CROP, TENSOR]), "one Resize is needed"),
    "crop that adds a border after Normalize": (
        v1.Compose([v1.Resize(40), TENSOR, NORMAL, CROP]),
        "put it before Normalize",
    ),
    "no crop": (v1.Compose([RESIZE, TENSOR]), r"add CenterCrop\(73\)"),
    "no resize": (v1.Compose([TENSOR]), "add Resize"),
    "nothing": (v1.Compose([]), "add ToTensor, or ToDtype"),
    "bytes": (v2.Compose([v2.Resize(73), v2.CenterCrop(64), v2.ToImage()]), "add ToTensor, or ToDtype"),
    "half precision": (
        v2.Compose([v2.Resize(73), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float16, scale=True)]),
        "the step ToDtype",
    ),
    "two normalisations": (v1.Compose([RESIZE, CROP, TENSOR, NORMAL, NORMAL]), "the step Normalize"),
    "normalised bytes": (
        v2.Compose([v2.Resize(73), v2.CenterCrop(64), v2.ToImage(), v2.Normalize(MEAN, STD)]),
        "float",
    ),
    "two means": (v1.Compose([RESIZE, CROP, TENSOR, v1.Normalize(MEAN[:2], STD[:2])]), "2 numbers do not fit 3"),
    "ten crops": (v1.Compose([RESIZE, v1.TenCrop(64)]), "the step TenCrop"),
    "segmentation": (FCN_ResNet50_Weights.DEFAULT.transforms(), "the step SemanticSegmentation"),
    "function alone": (lambda image: image, "the step .*lambda"),
    "config of something else": ({"height": 64}, "lacks input_size, mean, std"),
    "config with a border": (
        {"input_size": (3, 64, 64), "mean": MEAN, "std": STD, "crop_mode": "border"},
        "crop mode 'border'",
    ),
    "config of oblong images": ({"input_size": (3, 64, 48), "mean": MEAN, "std": STD}, "to cover 73 x 54 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_that_cannot_be_read_is_named(name: str) -> None:
    transforms, message = REFUSED[name]
    with pytest.raises(NetworkError, match=message) as refused:
        preprocessing_of(transforms)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("wrong", [None, 64, "imagenet", [RESIZE, TENSOR], v1.Compose])
def test_what_is_no_preprocessing_is_a_type_error(wrong: object) -> None:
    with unchecked(), pytest.raises(TypeError, match=r"^preprocessing is .*; give a Preprocessing"):
        preprocessing_of(wrong)


@pytest.mark.parametrize(
    ("crop_mode", "crop_pct", "interpolation"),
    [
        ("center", 0.9, "bicubic"),
        ("center", 1.0, "bilinear"),
        ("squash", 0.95, "bicubic"),
        ("center", 0.875, "lanczos"),
    ],
)
def test_timms_config_and_transform_are_the_same(crop_mode: str, crop_pct: float, interpolation: str) -> None:
    timm = pytest.importorskip("timm")
    config = {
        "input_size": (3, 64, 64),
        "interpolation": interpolation,
        "mean": MEAN,
        "std": STD,
        "crop_pct": crop_pct,
        "crop_mode": crop_mode,
    }
    transform = timm.data.create_transform(**config, is_training=False)
    preprocessing = preprocessing_of(config)
    assert preprocessing_of(transform) == preprocessing
    for size in SIZES:
        image = photograph(*size)
        assert torch.equal(ours(preprocessing, image), transform(image)), size


def test_a_network_of_timm_with_its_config() -> None:
    timm = pytest.importorskip("timm")
    module = timm.create_model("resnet10t", num_classes=3).eval()
    config = timm.data.resolve_model_data_config(module)
    network = Network.from_module(module, preprocessing=config)
    assert fields(network.preprocessing) == ((176, 176), 201, "bicubic")
    with pytest.warns(AssumedPreprocessingWarning, match=r"pretrained_cfg says 176 x 176.*module\.pretrained_cfg"):
        assumed = Network.from_module(module)
    assert assumed.preprocessing == Preprocessing()
    assert Network.from_module(module, preprocessing=module.pretrained_cfg).preprocessing == network.preprocessing


def test_a_number_is_a_square_with_imagenets_field_of_view() -> None:
    assert Preprocessing(64) == Preprocessing(size=(64, 64)) == Preprocessing(size=[64, 64], resize=73)
    assert Preprocessing(np.int64(64)) == Preprocessing(64)
    assert Preprocessing() == Preprocessing((224, 224), 256)
    assert hash(Preprocessing(mean=[0, 0, 0]))
    with unchecked(), pytest.raises(TypeError, match=r"input size is a str \('64'\); give a whole number of pixels"):
        Preprocessing("64")
    with unchecked(), pytest.raises(TypeError, match="mean is a float"):
        Preprocessing(mean=0.5)


class Stating(nn.Module):
    """A network that says how large its images are, and maybe more."""

    def __init__(self, **said: object) -> None:
        super().__init__()
        self.body = colour_net()
        for name, value in said.items():
            setattr(self, name, value)

    def forward(self, images):
        return self.body(images)


USUAL = {"input_size": (3, 224, 224), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
UNUSUAL = USUAL | {"input_size": (3, 64, 64)}


@pytest.mark.parametrize(
    ("module", "warned"),
    [
        (colour_net(), "nothing says what ColourNet expects of a photograph"),
        (Stating(image_size=64), "it says image_size 64 itself"),
        (Stating(default_cfg=UNUSUAL), "its own pretrained_cfg says 64 x 64"),
        (Stating(default_cfg=USUAL | {"interpolation": "bilinear"}), ""),
    ],
    ids=["silent", "attribute", "config", "as ImageNet's"],
)
def test_imagenets_preprocessing_is_assumed_with_one_warning(module: nn.Module, warned: str) -> None:
    context = pytest.warns(AssumedPreprocessingWarning, match=warned) if warned else nullcontext()
    with context as warnings_seen:
        network = Network.from_module(module.eval())
    assert network.preprocessing == Preprocessing()
    if warned:
        assert len(warnings_seen) == 1


def test_no_warning_where_it_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = Network.from_module(colour_net(), preprocessing=v1.Compose([v1.Resize((32, 32)), v1.ToTensor()]))
    assert network.preprocessing == PLAIN


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("resnet18", r"module is a str \('resnet18'\); give a torch.nn.Module, such as open_network\('resnet18'\)"),
        (nn.Linear, r"module is the class Linear; give a torch.nn.Module"),
        ({}, r"module is a dict of 0; give a torch.nn.Module"),
        (None, r"module is None"),
    ],
)
def test_what_is_no_module_is_a_type_error(wrong: object, message: str) -> None:
    with unchecked(), pytest.raises(TypeError, match=message):
        Network.from_module(wrong)
    with unchecked(), pytest.raises(TypeError, match=message):
        Network.of_any_output(wrong, layer="0")
