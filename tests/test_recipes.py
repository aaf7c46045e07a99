"""The recipes of the docs run as they stand there, with the real libraries."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pages
import pytest
import torch
from worlds import CLASSES, PLAIN, colour_net, colour_network, colour_square, write_colour_folder

from neuronexplain import build

RECIPES = dict(
    zip(("Lightning", "TensorBoard", "MLflow", "Gradio"), pages.blocks("docs/how-to/recipes.md"), strict=True)
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with what the recipes use: a photograph, a database, concept data."""
    monkeypatch.chdir(tmp_path)
    colour_square("green").save("photo.png")
    build(colour_network(), write_colour_folder(tmp_path / "squares", 8), "names.db", min_images=1, draws=0)
    return tmp_path


def run(tool: str) -> dict[str, object]:
    names: dict[str, object] = {"network": colour_network()}
    exec("from neuronexplain import explain", names)
    exec(RECIPES[tool].text, names)
    return names


@pytest.mark.filterwarnings("ignore")  # of the library
def test_lightning(place):
    lightning = pytest.importorskip("lightning")

    class Trained(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = colour_net()

        def training_step(self, batch, _):
            images, classes = batch
            return torch.nn.functional.cross_entropy(self.net(images), classes)

        def configure_optimizers(self):
            return torch.optim.SGD(self.net.head.parameters(), 1e-3)

    data = torch.utils.data.TensorDataset(torch.rand(4, 3, 32, 32), torch.arange(4))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    callback = run("Lightning")["Explain"](
        "photo.png", "squares", preprocessing=PLAIN, classes=CLASSES, layer="rectify"
    )
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=place,
        callbacks=[callback],
    )
    trainer.fit(Trained(), loader)
    assert len(callback.sentences) == 2
    assert all(sentence.startswith("The network says lawn") for sentence in callback.sentences)
    assert (place / "epoch-1.db").exists()


@pytest.mark.filterwarnings("ignore")  # of the library
def test_tensorboard(place):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    explanation = run("TensorBoard")["explanation"]
    events = EventAccumulator(str(place / "logs")).Reload()
    assert events.Tags()["images"] == ["why"]
    (text,) = events.Tensors("why/text_summary")
    assert text.tensor_proto.string_val[0].decode() == explanation.sentence


@pytest.mark.filterwarnings("ignore")  # of the library
def test_mlflow(place):
    mlflow = pytest.importorskip("mlflow")
    explanation = run("MLflow")["explanation"]
    (kept,) = mlflow.search_runs(output_format="list")
    assert kept.data.tags["why"] == explanation.sentence
    why = mlflow.artifacts.load_dict(f"{kept.info.artifact_uri}/why.json")
    assert why["sentence"] == explanation.sentence
    assert mlflow.artifacts.load_image(f"{kept.info.artifact_uri}/why.png").width > 100


ASK_GRADIO = """
from gradio_client import Client, handle_file
from test_recipes import run

demo = run("Gradio")["demo"]
_, address, _ = demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
plot, sentence = Client(address, verbose=False).predict(handle_file("photo.png"), api_name="/why")
print(plot["type"], plot["plot"][:22], sentence)
"""


@pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed")
def test_gradio(place):
    """Served and asked, in a process of its own: gradio leaves an event loop open."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    environment |= {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONWARNINGS": "ignore"}
    asked = [sys.executable, "-c", ASK_GRADIO]
    done = subprocess.run(asked, cwd=place, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("matplotlib data:image/")
    assert "The network says lawn" in done.stdout
