"""Tiny networks of transformers' real classes, with random weights, and the words that they know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn
from worlds import COLOURS

if TYPE_CHECKING:
    from pathlib import Path

hf: Any = transformers

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PAD, UNKNOWN, BEGIN, END = range(4)
WORDS = (
    *SPECIAL,
    "a",
    *COLOURS,
    "square",
    "of",
    "light",
    "in",
    "the",
    "dark",
    "big",
    "small",
    "cat",
    "'",
    "s",
    "##ish",
)
SIDE, PATCH = 32, 8
CELLS = (SIDE // PATCH) ** 2
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SIZES, "image_size": SIDE, "patch_size": PATCH}
MARKS = {"bos_token_id": BEGIN, "eos_token_id": END}
TEXT = {
    "vocab_size": len(WORDS),
    "max_position_embeddings": 32,
    "initializer_range": 0.3,
    "pad_token_id": PAD,
    **MARKS,
}


def blip(kind: str = "BlipForConditionalGeneration", **text: object) -> nn.Module:
    config = hf.BlipConfig(
        text_config={**SIZES, **TEXT, "sep_token_id": END, "encoder_hidden_size": 16, "projection_dim": 8, **text},
        vision_config={**VISION, "initializer_range": 0.3, "projection_dim": 8},
    )
    return getattr(hf, kind)(config)


def saved(module: Any, folder: Path) -> str:
    """Saves a network with its tokenizer and image processor; returns its name."""
    module.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    hf.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return f"hf/{folder}"


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))


def ids_of(caption: str) -> list[int]:
    return [WORDS.index(word) for word in caption.split()]
