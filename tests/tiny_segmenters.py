"""Tiny networks of transformers' real classes that label pixels, find boxes or cut them out, with random weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
import transformers
from tiny_transformers import WORDS as VOCABULARY

if TYPE_CHECKING:
    from pathlib import Path

hf: Any = transformers

WORDS = {0: "wall", 1: "sky", 2: "bed "}
SIDE = 64
LABELS = {"id2label": WORDS, "label2id": {name: number for number, name in WORDS.items()}}
ATTENTION = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
BACKBONE = {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 2, "image_size": SIDE}
SQUARE = {"height": SIDE, "width": SIDE}
ASKED = ("cat", "red square")


def _saved(module: Any, processor: Any, folder: Path, scale: float = 4.0) -> Path:
    with torch.no_grad():
        for weight in module.parameters():  # so that scores differ from pixel to pixel
            if weight.dim() > 1:
                weight.mul_(scale)
    module.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def segformer(folder: Path, *, scale: float = 4.0, **labels: Any) -> Path:
    config = hf.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
        num_attention_heads=[1, 1, 2, 2],
        **(labels or LABELS),
    )
    processor = hf.SegformerImageProcessor(size=SQUARE)
    return _saved(hf.SegformerForSemanticSegmentation(config), processor, folder, scale)


def upernet(folder: Path) -> Path:
    backbone = hf.ConvNextConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = hf.UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_in_channels=16, auxiliary_channels=8, **LABELS
    )
    return _saved(hf.UperNetForSemanticSegmentation(config), hf.SegformerImageProcessor(size=SQUARE), folder)


def mobilevit(folder: Path) -> Path:
    config = hf.MobileViTConfig(
        image_size=SIDE,
        hidden_sizes=[16, 16, 16],
        neck_hidden_sizes=[8, 8, 8, 8, 8, 8, 16],
        num_attention_heads=2,
        aspp_out_channels=16,
        **LABELS,
    )
    processor = hf.MobileViTImageProcessor(size={"shortest_edge": 72}, crop_size=SQUARE)
    return _saved(hf.MobileViTForSemanticSegmentation(config), processor, folder, scale=20.0)


def _swin() -> Any:
    return hf.SwinConfig(**BACKBONE, out_features=["stage1", "stage2", "stage3", "stage4"])


def _queries(kind: str) -> dict[str, Any]:
    usual = {"backbone_config": _swin(), "num_queries": 5, **LABELS}
    if kind == "oneformer":
        sizes = {"hidden_dim": 32, "conv_dim": 32, "mask_dim": 32, "dim_feedforward": 16, "encoder_feedforward_dim": 16}
        layers = {"encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 2, "is_training": False}
        text = {"text_encoder_width": 16, "text_encoder_num_layers": 1, "text_encoder_vocab_size": 49408}
        return usual | sizes | layers | text | {"text_encoder_context_length": 8, "task_seq_len": 8}
    sizes = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 16}
    return usual | sizes | {"encoder_layers": 1, "decoder_layers": 2, "num_attention_heads": 2, "dim_feedforward": 16}


def mask2former(folder: Path) -> Path:
    processor = hf.Mask2FormerImageProcessor(size={"shortest_edge": 48, "longest_edge": 96}, size_divisor=32)
    config = hf.Mask2FormerConfig(**_queries("mask2former"))
    return _saved(hf.Mask2FormerForUniversalSegmentation(config), processor, folder)


def maskformer(folder: Path) -> Path:
    decoder = hf.DetrConfig(
        d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16,
        encoder_attention_heads=2, decoder_attention_heads=2, num_queries=5,
    )  # fmt: skip
    config = hf.MaskFormerConfig(
        backbone_config=_swin(), decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, **LABELS
    )
    processor = hf.MaskFormerImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}, size_divisor=32)
    return _saved(hf.MaskFormerForInstanceSegmentation(config), processor, folder)


def clip_tokenizer(folder: Path) -> Any:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return hf.CLIPTokenizerFast.from_pretrained(folder, model_max_length=16)


def oneformer(folder: Path) -> Path:
    (folder / "facts").mkdir(parents=True)
    facts = {str(number): {"isthing": 1, "name": name} for number, name in WORDS.items()}
    (folder / "facts" / "words.json").write_text(json.dumps(facts))
    images = hf.OneFormerImageProcessor(
        size={"shortest_edge": 64, "longest_edge": 128},
        repo_path=str(folder / "facts"),
        class_info_file="words.json",
        num_text=3,
    )
    tokenizer = clip_tokenizer(folder)
    processor = hf.OneFormerProcessor(images, tokenizer, max_seq_length=8, task_seq_length=8)
    return _saved(hf.OneFormerForUniversalSegmentation(hf.OneFormerConfig(**_queries("oneformer"))), processor, folder)


def _clip_text(tokenizer: Any) -> dict[str, Any]:
    marks = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id, "pad_token_id": 53}
    return {**ATTENTION, "vocab_size": len(tokenizer), "max_position_embeddings": 16, **marks}


def clipseg(folder: Path) -> Path:
    tokenizer = clip_tokenizer(folder)
    config = hf.CLIPSegConfig(
        text_config=_clip_text(tokenizer),
        vision_config={**ATTENTION, "image_size": SIDE, "patch_size": 16},
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=16,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    processor = hf.CLIPSegProcessor(hf.ViTImageProcessor(size=SQUARE), tokenizer)
    return _saved(hf.CLIPSegForImageSegmentation(config), processor, folder)


def owlv2(folder: Path) -> Path:
    tokenizer = clip_tokenizer(folder)
    config = hf.Owlv2Config(
        text_config=_clip_text(tokenizer),
        vision_config={**ATTENTION, "image_size": SIDE, "patch_size": 16},
        projection_dim=16,
    )
    processor = hf.Owlv2Processor(hf.Owlv2ImageProcessor(size=SQUARE), tokenizer)
    return _saved(hf.Owlv2ForObjectDetection(config), processor, folder)


def grounding_dino(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY, "."]))
    tokenizer = hf.BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    text = hf.BertConfig(vocab_size=len(VOCABULARY) + 1, max_position_embeddings=64, **ATTENTION)
    backbone = hf.SwinConfig(**BACKBONE, out_features=["stage2", "stage3", "stage4"])
    config = hf.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, num_queries=9, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, max_text_len=64,
    )  # fmt: skip
    images = hf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160})
    return _saved(hf.GroundingDinoForObjectDetection(config), hf.GroundingDinoProcessor(images, tokenizer), folder)


def sam(folder: Path) -> Path:
    config = hf.SamConfig(
        vision_config={
            "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16,
            "output_channels": 16, "num_pos_feats": 8, "window_size": 2, "global_attn_indexes": [0], "mlp_dim": 16,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "num_hidden_layers": 1,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    images = hf.SamImageProcessor(size={"longest_edge": SIDE}, pad_size=SQUARE)
    return _saved(hf.SamModel(config), hf.SamProcessor(images), folder)
