"""Labelling with the real classes of transformers and torchvision: tiny, random, and equal to their own processing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

transformers = pytest.importorskip("transformers")

import tiny_segmenters as tiny  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torchvision import models  # noqa: E402

from dissection.errors import NetworkError, WeightsError  # noqa: E402
from dissection.labelling.opening import open_segmenter  # noqa: E402
from dissection.labelling.request import LabellerRequest  # noqa: E402
from dissection.labelling.sources.hugging_face_scores import _padded_grid, _whole_frames  # noqa: E402
from dissection.networks.weights import WeightsFile  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dissection.labelling.segmenter import Segmenter

hf: Any = transformers
GRID = 20


@pytest.fixture(autouse=True)
def _reproducible() -> None:
    torch.manual_seed(0)


def photographs() -> list[Image.Image]:
    generator = np.random.default_rng(0)
    sizes = ((64, 64), (64, 64), (64, 128))
    return [Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).resize(size[::-1]) for size in sizes]


def opened(folder: Path, **settings: Any) -> Segmenter:
    return open_segmenter(LabellerRequest(f"hf/{folder}", **settings))


@pytest.mark.parametrize("make", [tiny.segformer, tiny.upernet, tiny.mask2former, tiny.maskformer, tiny.oneformer])
def test_labels_are_the_processors_own(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = make(tmp_path / make.__name__)
    segmenter = opened(folder)
    assert [concept.name for concept in segmenter.words.concepts.values()] == ["wall", "sky", "bed"]
    assert segmenter.by[0].name == make.__name__
    is_semantic = make in {tiny.segformer, tiny.upernet}
    auto = hf.AutoModelForSemanticSegmentation if is_semantic else hf.AutoModelForUniversalSegmentation
    module = auto.from_pretrained(folder).eval()
    is_oneformer = make is tiny.oneformer
    processor = (hf.AutoProcessor if is_oneformer else hf.AutoImageProcessor).from_pretrained(folder)
    seen = segmenter.segment(photographs(), GRID)
    for photograph, labels in zip(photographs(), seen, strict=True):
        task = {"task_inputs": ["semantic"]} if is_oneformer else {}
        inputs = processor(images=photograph, return_tensors="pt", **task)
        with torch.inference_mode():
            outputs = module(**inputs)
        grid = [(GRID, GRID)]
        (expected,) = processor.post_process_semantic_segmentation(outputs, target_sizes=grid)
        assert np.array_equal(labels.labels[0], expected.numpy() + 1)
        (scored,) = processor.post_process_semantic_segmentation(
            outputs, target_sizes=grid, return_segmentation_scores=True
        )
        scores = scored["segmentation_scores"]
        confidence = scores.softmax(0).amax(0) if is_semantic else scores.amax(0).clamp(0, 1)
        assert np.allclose(labels.confidence[0], confidence, atol=1e-5)
        assert np.ptp(labels.confidence) > 1e-3


def test_padding_is_cut_off() -> None:
    mask = torch.zeros(1, 64, 96)
    mask[:, :48, :96] = 1
    assert _padded_grid({"pixel_mask": mask}, 30) == (40, 30)
    assert _padded_grid({}, 30) == (30, 30)


def test_a_centre_crop_is_left_out(tmp_path: Path) -> None:
    folder = tiny.mobilevit(tmp_path / "mobilevit")
    processor = hf.AutoImageProcessor.from_pretrained(folder)
    assert processor.do_center_crop
    photograph = Image.new("RGB", (256, 64), "black")
    photograph.paste((255, 0, 0), (0, 0, 16, 64))
    photograph.paste((0, 0, 255), (240, 0, 256, 64))
    pixels = _whole_frames(processor, "mobilevit")(photograph)["pixel_values"][0]
    assert pixels.shape == (3, tiny.SIDE, tiny.SIDE)
    left, right = (tuple((pixels[:, 32, column] > 0.9).tolist()) for column in (0, -1))
    assert {left, right} == {(True, False, False), (False, False, True)}, "both edges are seen; the colours are BGR"
    labels = opened(folder).segment(photographs(), GRID)
    assert [one.labels.shape for one in labels] == [(1, GRID, GRID)] * 3


def test_words_are_asked_one_by_one(tmp_path: Path) -> None:
    folder = tiny.clipseg(tmp_path / "clipseg")
    segmenter = opened(folder, words=("cat", "red square", "Cat"))
    assert [concept.name for concept in segmenter.words.concepts.values()] == ["cat", "red square"]
    module = hf.CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    for photograph, labels in zip(photographs(), segmenter.segment(photographs(), GRID), strict=True):
        inputs = processor(text=["cat", "red square"], images=[photograph] * 2, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = module(**inputs).logits
        expected = torch.nn.functional.interpolate(logits[None], (GRID, GRID), mode="bilinear")[0].sigmoid()
        assert np.allclose(labels.confidence, expected, atol=1e-5)
        assert [np.unique(layer).tolist() for layer in labels.labels] == [[1], [2]]
    (alone,) = opened(folder, words=("cat",)).segment(photographs()[:1], GRID)
    assert alone.labels.shape == (1, GRID, GRID)


@pytest.mark.parametrize("make", [tiny.owlv2, tiny.grounding_dino])
def test_boxes_are_cut_out(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder, sam = make(tmp_path / make.__name__), tiny.sam(tmp_path / "sam")
    least = 0.3
    segmenter = opened(folder, words=tiny.ASKED, masks=f"hf/{sam}", min_confidence=least)
    assert [model.name for model in segmenter.by] == [make.__name__, "sam"]
    detector = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    cutter, masks_of = hf.SamModel.from_pretrained(sam).eval(), hf.SamProcessor.from_pretrained(sam)
    boxes_in_all = 0
    for photograph, labels in zip(photographs(), segmenter.segment(photographs(), GRID), strict=True):
        inputs = processor(text=[list(tiny.ASKED)], images=photograph, return_tensors="pt")
        with torch.inference_mode():
            outputs = detector(**inputs)
        size = [photograph.size[::-1]]
        if make is tiny.owlv2:
            (found,) = processor.post_process_grounded_object_detection(outputs, threshold=least, target_sizes=size)
            boxes, scores, places = found["boxes"], found["scores"], found["labels"]
        else:
            (found,) = processor.post_process_grounded_object_detection(
                outputs, inputs["input_ids"], threshold=-1.0, target_sizes=size
            )
            of_tokens = outputs.logits[0].sigmoid()
            ids = [processor.tokenizer(word, add_special_tokens=False)["input_ids"] for word in tiny.ASKED]
            columns = [[place for place, token in enumerate(inputs["input_ids"][0]) if token in word] for word in ids]
            by_word = torch.stack([of_tokens[:, places].amax(1) for places in columns], 1)
            kept = by_word.amax(1) >= least
            boxes, scores, places = found["boxes"][kept], by_word[kept].amax(1), by_word[kept].argmax(1)
        expected = np.zeros((2, GRID, GRID), np.float32)
        boxes_in_all += len(boxes)
        if len(boxes):
            asked = masks_of(images=photograph, input_boxes=[boxes.tolist()], return_tensors="pt")
            with torch.inference_mode():
                made = cutter(**asked, multimask_output=False).pred_masks
            (masks,) = masks_of.post_process_masks(made, [(GRID, GRID)], asked["reshaped_input_sizes"])
            for mask, score, place in zip(masks, scores, places, strict=True):
                expected[place] = np.maximum(expected[place], mask[0].numpy() * score.item())
        assert np.allclose(labels.confidence, expected, atol=1e-5)
        assert np.array_equal(labels.labels, np.where(expected > 0, np.array([1, 2])[:, None, None], 0))
    assert boxes_in_all


def test_torchvision_with_a_files_weights(tmp_path: Path) -> None:
    module = models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=3).eval()
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    names = ("__background__", "sky", "tree")
    request = LabellerRequest(
        "lraspp_mobilenet_v3_large", classes=names, weights=WeightsFile(tmp_path / "weights.safetensors")
    )
    segmenter = open_segmenter(request)
    assert [concept.name for concept in segmenter.words.concepts.values()] == ["sky", "tree"]
    transforms = models.get_model_weights("lraspp_mobilenet_v3_large").DEFAULT.transforms()
    for photograph, labels in zip(photographs()[1:], segmenter.segment(photographs()[1:], GRID), strict=True):
        with torch.inference_mode():
            scores = module(transforms(photograph)[None])["out"]
        expected = torch.nn.functional.interpolate(scores, (GRID, GRID), mode="bilinear")[0].softmax(0)
        assert np.array_equal(labels.labels[0], expected.argmax(0).numpy())
        assert np.allclose(labels.confidence[0], expected.amax(0), atol=1e-6)
    with pytest.raises(NetworkError, match="has 3 classes, and lraspp_mobilenet_v3_large 21"):
        open_segmenter(LabellerRequest(request.model, weights=request.weights))


class TestRefusals:
    def test_what_is_no_segmenter(self, tmp_path: Path) -> None:
        sizes = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]}
        hf.SegformerForImageClassification(hf.SegformerConfig(**sizes)).save_pretrained(tmp_path / "mit")
        with pytest.raises(NetworkError, match=r"\(SegformerForImageClassification\) is a classifier: it says what"):
            opened(tmp_path / "mit")
        depth = tiny.segformer(tmp_path / "depth")
        config = json.loads((depth / "config.json").read_text()) | {"architectures": ["DPTForDepthEstimation"]}
        (depth / "config.json").write_text(json.dumps(config))
        with pytest.raises(NetworkError, match=r"\(DPTForDepthEstimation\) does not label pixels"):
            opened(depth)
        hf.BertModel(hf.BertConfig(vocab_size=8, **tiny.ATTENTION)).save_pretrained(tmp_path / "bert")
        with pytest.raises(NetworkError, match="does not label pixels"):
            opened(tmp_path / "bert")

    def test_words_and_masks(self, tmp_path: Path) -> None:
        unnamed = tiny.segformer(tmp_path / "unnamed", num_labels=3)
        with pytest.raises(NetworkError, match="has no words for its 3 classes; name them: --classes FILE"):
            opened(unnamed)
        named = opened(unnamed, classes=("sea", "sky", "owl"))
        assert len(named.words.concepts) == 3
        with pytest.raises(NetworkError, match="has 3 classes, but 2 labels"):
            opened(unnamed, classes=("sea", "sky"))
        with pytest.raises(NetworkError, match="has no word 'dog'"):
            opened(unnamed, classes=("sea", "sky", "owl"), words=("dog",))
        with pytest.raises(NetworkError, match="gives no boxes"):
            opened(unnamed, masks="hf/sam")
        with pytest.raises(NetworkError, match="finds what it is asked for; give --words"):
            opened(tiny.clipseg(tmp_path / "clipseg"))
        owl = tiny.owlv2(tmp_path / "owlv2")
        with pytest.raises(NetworkError, match="finds boxes, not pixels; add --masks"):
            opened(owl, words=("cat",))
        with pytest.raises(NetworkError, match="makes no masks of boxes"):
            opened(owl, words=("cat",), masks=f"hf/{unnamed}")
        with pytest.raises(NetworkError, match="makes masks of boxes; give it with --masks"):
            opened(tiny.sam(tmp_path / "sam"), words=("cat",))

    def test_pickled_weights(self, tmp_path: Path) -> None:
        folder = tiny.segformer(tmp_path / "pickled")
        module = hf.AutoModelForSemanticSegmentation.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        torch.save(module.state_dict(), folder / "pytorch_model.bin")
        with pytest.raises(WeightsError, match="safetensors"):
            opened(folder)

    def test_the_licence_is_that_of_the_card(self, tmp_path: Path) -> None:
        folder = tiny.segformer(tmp_path / "licensed")
        (folder / "README.md").write_text("---\ntags: x\nlicense: cc-by-4.0\n---\n# Title\nlicense: none\n")
        assert opened(folder).by[0].licence == "cc-by-4.0"
