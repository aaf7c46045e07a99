"""Dictionaries that other tools have learned, in small files as those tools write them."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from superposed import unmixing
from test_dictionaries import noise, random_dictionary

from dissection.errors import NetworkError, OutputError, WeightsError
from dissection.networks.dictionaries.folders import read_dictionary
from dissection.networks.dictionaries.formats.sae_lens import write_sae_lens

UNITS, FEATURES = 4, 6
CELLS = noise(50, UNITS, seed=9)
ENCODER, BIAS = noise(UNITS, FEATURES, seed=1), noise(FEATURES, seed=2)
DECODER, OFFSET = noise(FEATURES, UNITS, seed=3), noise(UNITS, seed=4)
THRESHOLDS = noise(FEATURES, seed=5).abs()
GATE, LOG_SCALE = noise(FEATURES, seed=6), noise(FEATURES, seed=7) / 2
LENGTHS = DECODER.norm(dim=1)
BASE = {"W_enc": ENCODER, "b_enc": BIAS, "W_dec": DECODER, "b_dec": OFFSET}


def codes_of(dictionary, cells=CELLS):
    return dictionary.encode(cells[:, :, None, None])[:, :, 0, 0]


def decoded_by(dictionary, codes):
    return dictionary.decode(codes[:, :, None, None])[:, :, 0, 0]


def kept(values, k):
    """The k greatest of each row."""
    return torch.stack([torch.where(row >= row.sort().values[-k], row, 0.0) for row in values])


def sae_lens(folder, tensors=BASE, **settings):
    folder.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": UNITS, "d_sae": FEATURES} | settings))
    return read_dictionary(folder)


CENTRED = (CELLS - OFFSET) @ ENCODER + BIAS
JUMP = BASE | {"threshold": THRESHOLDS}
GATED = {"W_enc": ENCODER, "W_dec": DECODER, "b_dec": OFFSET, "b_gate": GATE, "b_mag": BIAS, "r_mag": LOG_SCALE}
OPEN = ((CELLS - OFFSET) @ ENCODER + GATE > 0).float()
SAE_LENS = {
    "standard": ({}, BASE, CENTRED.relu()),
    "without b_dec": ({"apply_b_dec_to_input": False}, BASE, (CELLS @ ENCODER + BIAS).relu()),
    "topk": ({"architecture": "topk", "k": 2}, BASE, kept(CENTRED.relu(), 2)),
    "topk before 6": ({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}, BASE, kept(CENTRED.relu(), 2)),
    "rescaled": (
        {"architecture": "topk", "k": 2, "rescale_acts_by_decoder_norm": True},
        BASE,
        kept((CENTRED * LENGTHS).relu(), 2),
    ),
    "jumprelu": ({"architecture": "jumprelu"}, JUMP, CENTRED.relu() * (CENTRED > THRESHOLDS)),
    "gated": (
        {"architecture": "gated"},
        GATED,
        OPEN * ((CELLS - OFFSET) @ (ENCODER * LOG_SCALE.exp()) + BIAS).relu(),
    ),
    "batchtopk": (
        {"architecture": "batchtopk", "k": 2.0},
        BASE | {"topk_threshold": torch.tensor(0.5)},
        CENTRED.relu() * (CENTRED > 0.5),
    ),
}


@pytest.mark.parametrize("kind", SAE_LENS)
def test_sae_lens_encodes_as_it_does_itself(tmp_path, kind):
    settings, tensors, expected = SAE_LENS[kind]
    dictionary = sae_lens(tmp_path, tensors, **settings)
    torch.testing.assert_close(codes_of(dictionary), expected, atol=1e-5, rtol=1e-5)
    rescaled = DECODER / LENGTHS[:, None] if kind == "rescaled" else DECODER
    torch.testing.assert_close(decoded_by(dictionary, expected), expected @ rescaled + OFFSET, atol=1e-5, rtol=1e-5)


def test_finetuned_directions_are_scaled(tmp_path):
    factors = noise(FEATURES, seed=8)
    dictionary = sae_lens(tmp_path, BASE | {"scaling_factor": factors}, finetuning_scaling_factor=True)
    torch.testing.assert_close(dictionary.decoder, DECODER * factors[:, None])
    torch.testing.assert_close(codes_of(dictionary), CENTRED.relu(), atol=1e-5, rtol=1e-5)
    assert sae_lens(tmp_path, BASE | {"scaling_factor": torch.ones(FEATURES)}).decoder.equal(DECODER)
    with pytest.raises(NetworkError, match="finetuning_scaling_factor: false"):
        sae_lens(tmp_path, BASE | {"scaling_factor": factors})


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "transcoder"},
        {"activation_fn": "tanh-relu"},
        {"normalize_activations": "layer_norm"},
        {"normalize_activations": True},
        {"normalize_activations": "expected_average_only_in"},
        {"reshape_activations": "hook_z"},
        {"hook_head_index": 3},
        {"architecture": "topk"},
        {"architecture": "topk", "k": True},
    ],
)
def test_an_option_that_is_not_computed_is_refused_by_its_name(tmp_path, settings):
    name = "k" if settings.get("architecture") == "topk" else next(iter(settings))
    with pytest.raises(NetworkError, match=rf"cfg.json says {name}: "):
        sae_lens(tmp_path, **settings)


def test_tensors_that_are_missing_too_many_or_of_another_shape_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no tensor 'b_enc'"):
        sae_lens(tmp_path, {name: tensor for name, tensor in BASE.items() if name != "b_enc"})
    with pytest.raises(WeightsError, match="also holds W_skip"):
        sae_lens(tmp_path, BASE | {"W_skip": DECODER + 1})
    with pytest.raises(WeightsError, match="finite"):
        sae_lens(tmp_path, BASE | {"b_enc": BIAS / 0})
    for name, shape in (("W_enc", (3,)), ("W_dec", (2, 2)), ("b_enc", (9,)), ("b_dec", (1,))):
        with pytest.raises(WeightsError, match=rf"is of shape \({shape[0]},.*\); .* is needed"):
            sae_lens(tmp_path, BASE | {name: noise(*shape)})
    (tmp_path / "cfg.json").write_text("[]")
    with pytest.raises(NetworkError, match="no JSON object"):
        read_dictionary(tmp_path)


def test_it_says_who_learned_it_from_what(tmp_path):
    metadata = {"sae_lens_version": "6.1.0", "hook_name": "layer4", "model_name": "resnet50", "dataset_path": "photos"}
    dictionary = sae_lens(tmp_path, metadata=metadata)
    assert (dictionary.layer, dictionary.folder) == ("layer4", str(tmp_path))
    assert dictionary.learned == "SAELens 6.1.0, of layer4, in resnet50, over photos"


@pytest.mark.parametrize("activation", ["relu", "topk", "jumprelu"])
def test_what_is_written_is_read_again(tmp_path, activation):
    dictionary = replace(random_dictionary(4, 9, activation), layer="rectify", learned="by hand")
    write_sae_lens(dictionary, tmp_path / "written", network="ColourNet")
    again = read_dictionary(tmp_path / "written")
    assert again.digest == dictionary.digest
    assert (again.layer, again.learned) == ("rectify", "by hand")
    with pytest.raises(OutputError, match="already exists"):
        write_sae_lens(dictionary, tmp_path / "written")


def test_sae_lens_has_no_signed_topk(tmp_path):
    with pytest.raises(NetworkError, match="signed-topk"):
        write_sae_lens(random_dictionary(4, 9, "signed-topk"), tmp_path / "written")
    assert not (tmp_path / "written").exists()


def learning(folder, state, **trainer):
    torch.save({name: tensor.contiguous() for name, tensor in state.items()}, folder / "ae.pt")
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    return read_dictionary(folder)


LINEAR = {"encoder.weight": ENCODER.T, "encoder.bias": BIAS, "decoder.weight": DECODER.T}
WITH_K = LINEAR | {"b_dec": OFFSET, "k": torch.tensor(2), "threshold": torch.tensor(0.5)}
LEARNING = {
    "AutoEncoder": (LINEAR | {"bias": OFFSET}, CENTRED.relu() * LENGTHS),
    "AutoEncoderNew": (LINEAR | {"decoder.bias": OFFSET}, (CELLS @ ENCODER + BIAS).relu()),
    "AutoEncoderTopK": (WITH_K, kept(CENTRED.relu(), 2)),
    "BatchTopKSAE": (WITH_K, CENTRED.relu() * (CENTRED > 0.5)),
    "MatryoshkaBatchTopKSAE": (
        BASE | {"threshold": torch.tensor(0.5), "k": torch.tensor(2), "group_sizes": torch.tensor([2, 4])},
        CENTRED.relu() * (CENTRED > 0.5),
    ),
    "JumpReluAutoEncoder": (
        JUMP,
        (CELLS @ ENCODER + BIAS).relu() * (CELLS @ ENCODER + BIAS > THRESHOLDS),
    ),
    "GatedAutoEncoder": (
        {
            "encoder.weight": ENCODER.T,
            "decoder.weight": DECODER.T,
            "decoder_bias": OFFSET,
            "gate_bias": GATE,
            "mag_bias": BIAS,
            "r_mag": LOG_SCALE,
        },
        SAE_LENS["gated"][2],
    ),
}


@pytest.mark.parametrize("kind", LEARNING)
def test_dictionary_learning_encodes_as_it_does_itself(tmp_path, kind):
    state, expected = LEARNING[kind]
    dictionary = learning(tmp_path, state, dict_class=kind, k=2, submodule_name="layer4", lm_name="resnet50")
    torch.testing.assert_close(codes_of(dictionary), expected, atol=1e-5, rtol=1e-5)
    decoder = DECODER / LENGTHS[:, None] if kind == "AutoEncoder" else DECODER
    torch.testing.assert_close(decoded_by(dictionary, expected), expected @ decoder + OFFSET, atol=1e-5, rtol=1e-5)
    assert dictionary.learned == "dictionary_learning, of layer4, in resnet50"


def test_dictionary_learning_that_is_unknown_or_unfinished_is_refused(tmp_path):
    with pytest.raises(NetworkError, match="dict_class: CrossCoder"):
        learning(tmp_path, LINEAR, dict_class="CrossCoder")
    with pytest.raises(NetworkError, match="threshold was not found yet"):
        learning(tmp_path, WITH_K | {"threshold": torch.tensor(-1.0)}, dict_class="BatchTopKSAE", k=2)
    with pytest.raises(NetworkError, match="says k: None"):
        learning(tmp_path, WITH_K, dict_class="AutoEncoderTopK")


def test_code_in_a_pickle_does_not_run(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"dict_class": "AutoEncoder"}}))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "ae.pt")
    with pytest.raises(WeightsError, match="code"):
        read_dictionary(tmp_path)
    (tmp_path / "ae.pt").write_bytes(pickle.dumps({"encoder": print}))
    with pytest.raises(WeightsError):
        read_dictionary(tmp_path)


def saev(folder, **header):
    with (folder / "sae.pt").open("wb") as file:
        file.write((json.dumps(header) + "\n").encode())
        torch.save(BASE, file)
    return read_dictionary(folder)


def test_saev_encodes_as_it_does_itself(tmp_path):
    torch.testing.assert_close(codes_of(saev(tmp_path, d_vit=UNITS)), CENTRED.relu(), atol=1e-5, rtol=1e-5)
    plain = CELLS @ ENCODER + BIAS
    relu = saev(tmp_path, schema=2, lib="0.2", cfg={"activation": {"cls": "Relu", "params": {}}})
    torch.testing.assert_close(codes_of(relu), plain.relu(), atol=1e-5, rtol=1e-5)
    assert relu.learned == "saev 0.2"
    topk = saev(tmp_path, schema=2, cfg={"activation": {"cls": "TopK", "params": {"top_k": 5}}})
    torch.testing.assert_close(codes_of(topk), kept(plain, 5), atol=1e-5, rtol=1e-5)
    assert (kept(plain, 5) < 0).any()
    with pytest.raises(NetworkError, match="says schema: 1"):
        saev(tmp_path, schema=1)
    with pytest.raises(NetworkError, match="says activation: BatchTopK"):
        saev(tmp_path, schema=2, cfg={"activation": {"cls": "BatchTopK", "params": {"top_k": 5}}})


def test_a_folder_without_a_dictionary_says_what_is_needed(tmp_path):
    with pytest.raises(NetworkError, match=r"holds no dictionary; name a folder with cfg.json \(SAELens\)"):
        read_dictionary(tmp_path)
    with pytest.raises(NetworkError, match="is no folder"):
        read_dictionary(tmp_path / "nowhere")
    assert unmixing().features == 4
