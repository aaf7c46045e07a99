"""The command line as a person uses it: every command, its errors, Ctrl-C and SIGTERM."""

import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image
from test_house import command_names
from worlds import CLASSES, colour_square, write_colour_folder

from db import NameStore
from neuronexplain.cli import console, failures
from neuronexplain.cli.commands import demo
from neuronexplain.cli.options import Method
from neuronexplain.methods import METHODS
from neuronexplain.vocabulary import MethodName

HERE = Path(__file__).parent
NETWORK = ["--network", f"{HERE / 'worlds.py'}:colour_net", "--mean", "0,0,0", "--std", "1,1,1"]
NETWORK += ["--input-size", "32", "--resize", "32x32"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of squares, class labels and photographs, and a database built from them."""
    root = tmp_path_factory.mktemp("world")
    write_colour_folder(root / "squares")
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for colour in ("red", "blue"):
        colour_square(colour).save(root / f"{colour}.png")
    words = [
        "build",
        *NETWORK,
        "--classes",
        root / "classes.txt",
        "--concepts",
        root / "squares",
        "--db",
        root / "n.db",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "neuronexplain", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "4 of 4 neurons of rectify have a name" in done.stdout
    assert "layer rectify: 4 neurons, 32 x 32, the default; --layer names another" in done.stderr
    return root


def one_line(error: str) -> str:
    """The last line, which must start as every error does."""
    last = error.strip().splitlines()[-1]
    assert last.startswith("neuronexplain: ")
    assert "Traceback" not in error
    return last


def test_building_again_does_nothing_and_says_so(world, run):
    words = ["build", *NETWORK, "--classes", world / "classes.txt", "--concepts", world / "squares"]
    status, out, _ = run(*words, "--db", world / "n.db")
    assert status == 0
    assert "Nothing to do" in out


def test_draws_are_an_option(world, run, tmp_path):
    words = ["build", *NETWORK, "--concepts", world / "squares", "--db", tmp_path / "n.db"]
    assert [run(*words, "--draws", draws)[0] for draws in (0, 5)] == [0, 0]
    assert "Nothing to do" in run(*words, "--draws", 5)[1]
    with NameStore.open(tmp_path / "n.db") as store:
        assert [store.dissection(kept).draws for kept in store.runs()] == [0, 5]


def test_a_control_is_an_option_and_what_survives_it_is_told(world, run, tmp_path):
    words = ["build", *NETWORK, "--concepts", world / "squares", "--db", tmp_path / "n.db", "--control"]
    status, out, _ = run(*words, "--draws", 5)
    assert status == 0
    assert re.search(r"Control: with shuffled weights, \d of 4 neurons have a name\. .*: \d of 4 names\.", out)
    assert "leave one of them out" in one_line(run(*words, "--draws", 0)[2])


def test_several_layers_and_precisions_are_runs_of_their_own(world, run, tmp_path):
    words = ["build", *NETWORK, "--concepts", world / "squares", "--db", tmp_path / "n.db"]
    status, out, err = run(*words, "--layer", "rectify", "--layer", "detect", "--layer", "rectify")
    assert status == 0
    assert out.count("Stored as run") == 2
    assert err.count("looking at the photographs") >= 1
    status, out, _ = run(
        *words, "--layer", "detect", "--precision", "fast", "--scratch", tmp_path / "scratch", "--fresh"
    )
    assert (status, out.count("Stored as run 3")) == (0, 1)
    status, out, _ = run("runs", "--db", tmp_path / "n.db", "--json")
    assert [each["layer"] for each in json.loads(out)] == ["rectify", "detect", "detect"]
    assert not list(tmp_path.glob("*unfinished*")) + list(tmp_path.glob("scratch*")), "both were made for the builds"


def test_a_scratch_folder_that_cannot_be_made_is_told(world, run, tmp_path):
    words = ["build", *NETWORK, "--concepts", world / "squares", "--db", tmp_path / "n.db", "--scratch", tmp_path / "s"]
    blocked = tmp_path / "s"
    blocked.touch()
    assert "s" in one_line(run(*words)[2])
    blocked.unlink()
    assert run(*words)[0] == 0


def test_explain_needs_only_the_database(world, run, tmp_path):
    status, out, _ = run("explain", world / "red.png", world / "blue.png", "--db", world / "n.db", "--out", tmp_path)
    assert status == 0
    assert "The network says fire" in out
    assert "The network says lake" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "blue.png",
        "explanations.json",
        "index.html",
        "page-files.json",
        "red.png",
    ]
    assert "The network says fire" in (tmp_path / "index.html").read_text()
    with Image.open(tmp_path / "red.png") as picture:
        assert picture.width > 2 * 32


def test_explain_by_other_methods_too(world, run, tmp_path):
    asked = ["--method", "guided-grad-cam", "--method", "counterfactual", "--method", "occlusion", "--json"]
    status, out, told = run("explain", world / "red.png", "--db", world / "n.db", "--out", tmp_path, *asked)
    assert status == 0
    assert "occlusion" in told
    (value,) = json.loads(out)
    assert [each["name"] for each in value["methods"]] == ["guided-grad-cam", "counterfactual", "occlusion"]
    assert json.loads((tmp_path / "explanations.json").read_text()) == [value]
    for each in value["methods"]:
        assert each["picture"] == str(tmp_path / each["name"] / "red.png")
        with Image.open(each["picture"]) as picture:
            assert picture.size == (32, 32)
        assert each["title"] in (tmp_path / "index.html").read_text()


def test_lines_are_printed_between_bars_that_pass(world, run, tmp_path):
    words = ["explain", world / "red.png", world / "blue.png", "--db", world / "n.db", "--out", tmp_path]
    status, out, told = run(*words, "--method", "occlusion")
    assert status == 0
    assert out.count("The network says") == 2
    assert "occlusion" in told
    assert "occlusion" not in out


def test_methods_on_the_command_line_are_those_of_the_library():
    assert tuple(Method) == get_args(MethodName) == tuple(METHODS)


def test_a_folder_stands_for_its_photographs(world, run):
    status, out, _ = run("explain", world / "squares" / "images", "--db", world / "n.db")
    assert status == 0
    assert out.count("The network says") == 40


def test_explain_json_has_the_promised_shape(world, run, tmp_path):
    status, out, _ = run(
        "explain", world / "red.png", "--db", world / "n.db", "--json", "--target", "LAKE", "--among", "named"
    )
    assert status == 0
    (value,) = json.loads(out)
    assert value["prediction"].keys() == value["target"].keys() == {"label", "index", "probability", "logit"}
    assert (value["prediction"]["label"], value["target"]["label"]) == ("fire", "lake")
    assert (value["rank_by"], value["among"], value["constant_alpha"], value["heatmap"]) == (
        "alpha",
        "named",
        False,
        None,
    )
    top = value["top"][0]
    assert {"unit", "alpha", "effect", "name", "iou", "lit", "truth", "evidence", "clause", "unspoken"} <= top.keys()
    assert (top["unit"], top["name"], top["lit"], top["clause"]) == (2, "blue", False, "missed")
    assert top["iou"] > 0.8
    assert len(value["bottom"]) == 2
    assert value["sentence"].startswith("The network says fire")


def test_units_as_table_json_and_csv(world, run):
    status, out, _ = run("units", "--db", world / "n.db", "--json", "--min-iou", "0.05")
    rows = json.loads(out)
    wanted = {"unit", "name", "category", "iou", "threshold", "intersection", "union", "best"}
    assert status == 0
    assert [row["unit"] for row in rows] == [0, 1, 2, 3]
    assert all(wanted <= row.keys() for row in rows)
    assert [row["name"] for row in rows] == ["red", "green", "blue", "yellow"]
    _, out, _ = run("units", "--db", world / "n.db", "--csv", "--concept", "Blue")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["unit"], row["name"]) == ("2", "blue")
    _, out, _ = run("units", "--db", world / "n.db", "--unit", 3)
    assert "yellow" in out
    assert "red" not in out


def test_units_below_the_cut_keep_their_best_concept(world, run, tmp_path):
    low = ["--quantile", "0.001", "--classes", world / "classes.txt", "--concepts", world / "squares"]
    assert run("build", *NETWORK, *low, "--db", tmp_path / "low.db", "--min-images", 11)[0] == 0
    _, out, _ = run("units", "--db", tmp_path / "low.db", "--json")
    assert all(row["name"] is None and row["best"] is None for row in json.loads(out))
    with sqlite3.connect(world / "n.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (1,)


def test_concepts_of_a_class_and_classes_for_a_concept(world, run):
    status, out, _ = run("concepts", "of", "Fire", "--db", world / "n.db", "--json")
    assert status == 0
    assert next(row["concept"] for row in json.loads(out)) == "red"
    _, out, _ = run("concepts", "of", "Fire", "--db", world / "n.db", "--rank-by", "alpha", "--json")
    assert [row["concept"] for row in json.loads(out)] == ["red", "yellow", "blue", "green"]
    _, out, _ = run("concepts", "of", "fire", "--db", world / "n.db")
    assert "over 10 images" in out
    _, out, _ = run("classes", "for", "RED", "--db", world / "n.db", "--csv")
    assert next(csv.DictReader(io.StringIO(out)))["class"] == "fire"


def test_answers_about_classes_say_what_they_are_ranked_by_and_what_is_thin(world, run, tmp_path):
    _, out, _ = run("concepts", "of", "fire", "--db", world / "n.db", "--json")
    rows = json.loads(out)
    assert [row["lit"] for row in rows] == sorted((row["lit"] for row in rows), reverse=True)
    assert all(row["lit_low"] <= row["lit"] <= row["lit_high"] for row in rows)
    assert {(row["class_images"], row["thin"]) for row in rows} == {(10, False)}
    assert run("concepts", "of", "fire", "--db", world / "n.db", "--rank-by", "lit", "--json")[1] == out
    _, out, _ = run("concepts", "of", "fire", "--db", world / "n.db")
    assert "lit: what lit cells contribute above the average class, with its 95 % interval." in out
    words = ["build", *NETWORK, "--classes", world / "classes.txt", "--concepts", world / "squares", "--limit", 24]
    db = tmp_path / "few.db"
    assert run(*words, "--min-images", 2, "--db", db)[0] == 0
    with NameStore.open(db) as store:
        images = store.class_images(store.newest())
    assert sum(images.values()) == 24
    _, out, _ = run("concepts", "of", "fire", "--db", db)
    fire = images[CLASSES.index("fire")]
    assert out.startswith(
        f"Thin evidence: {fire} images of fire, fewer than 10. Build with --class-images, a folder of images"
    )
    _, out, _ = run("classes", "for", "red", "--db", db)
    assert out.startswith("4 of 4 classes rest on fewer than 10 images and are marked: build with --class-images")
    assert out.count(" thin ") == 4
    _, out, _ = run("classes", "for", "red", "--db", db, "--json")
    assert sorted((row["images"], row["thin"]) for row in json.loads(out)) == [
        (n, True) for n in sorted(images.values())
    ]


def test_without_class_statistics_answers_are_ranked_by_alpha_and_say_so(world, run, tmp_path):
    db = tmp_path / "plain.db"
    words = ["build", *NETWORK, "--classes", world / "classes.txt", "--concepts", world / "squares", "--draws", 0]
    assert run(*words, "--db", db)[0] == 0
    said = "No class statistics are kept with run 1, so this is ranked by alpha: build again with --draws 199."
    for words in (["concepts", "of", "fire"], ["classes", "for", "red"]):
        assert said in run(*words, "--db", db)[1].splitlines()
        _, out, err = run(*words, "--db", db, "--json")
        assert err.splitlines() == [said]
        assert {row["lit"] for row in json.loads(out)} == {None}
        assert said not in run(*words, "--db", db, "--rank-by", "alpha")[1]
        status, _, err = run(*words, "--db", db, "--rank-by", "lit")
        assert status == 2
        assert "run 1 keeps no class statistics" in err
        assert len(err.splitlines()) == 1
    status, _, err = run("units", "--db", db, "--proven")
    assert status == 2
    said = "run 1 keeps no evidence for names, so none is proven: build it again with draws (--draws 199)"
    assert err == f"neuronexplain: {said}\n"


def test_units_show_truth_and_q_and_can_be_those_of_proven_names(world, run):
    _, out, _ = run("units", "--db", world / "n.db", "--json")
    rows = json.loads(out)
    assert [(row["truth"], row["lit_images"], row["hit_images"]) for row in rows] == [(1, 10, 10)] * 4
    assert all(row["q"] <= 0.05 and row["proven"] for row in rows)
    assert json.loads(run("units", "--db", world / "n.db", "--proven", "--json")[1]) == rows
    assert json.loads(run("units", "--db", world / "n.db", "--proven", "--concept", "RED", "--json")[1])
    status, _, err = run("units", "--db", world / "n.db", "--concept", "rad")
    assert status == 2
    assert "no concept of run 1 is called 'rad'; choose a name of its units, such as red" in err
    assert len(err.splitlines()) == 1


def test_runs_lists_what_the_database_holds(world, run):
    _, out, _ = run("runs", "--db", world / "n.db", "--json")
    (row,) = json.loads(out)
    assert (row["layer"], row["units"], row["named"], row["images"]) == ("rectify", 4, 4, 40)
    assert row["source"]["network"].endswith("worlds.py:colour_net")


def test_concepts_check_lists_every_bad_file(world, run, tmp_path):
    assert run("concepts", "check", world / "squares")[0] == 0
    bad = write_colour_folder(tmp_path / "bad", 6)
    (bad / "images" / "001.png").write_bytes(b"")
    (bad / "masks" / "002.png").unlink()
    Image.new("L", (32, 32), 99).save(bad / "masks" / "003.png")
    status, out, _ = run("concepts", "check", bad)
    assert status == 2
    assert all(name in out for name in ("001.png", "002.png", "003.png"))
    status, out, _ = run("concepts", "check", bad, "--json")
    assert len(json.loads(out)["problems"]) >= 3


def test_concepts_convert_writes_what_build_reads(world, run, tmp_path):
    sizes = ["--size", 32, "--label-size", 32]
    status, out, _ = run("concepts", "convert", world / "squares", tmp_path / "new", *sizes)
    assert status == 0
    assert re.search(r"color +\d+ +\d+ +\d+", out)
    assert run("concepts", "check", tmp_path / "new")[0] == 0
    words = ["build", *NETWORK, "--concepts", tmp_path / "new", "--db", tmp_path / "n.db", "--limit", 40]
    assert "4 of 4 neurons" in run(*words)[1]


def test_concepts_convert_as_json(world, run, tmp_path):
    words = ["concepts", "convert", "--from", "masks", world / "squares", tmp_path / "new", "--min-images", 0, "--json"]
    status, out, _ = run(*words)
    assert status == 0
    said = json.loads(out)
    assert said["concepts"] == sum(each["concepts"] for each in said["categories"])


def test_concepts_join_says_which_words_it_took_for_one(world, run, tmp_path):
    (tmp_path / "words.csv").write_text("from,to\nred,crimson\n")
    words = ["concepts", "join", world / "squares", world / "squares", tmp_path / "new", "--size", 32]
    status, out, _ = run(*words, "--synonyms", tmp_path / "words.csv")
    assert status == 0
    assert "red = crimson" in out
    assert "images, 4 concepts" in out


def test_concepts_kinds_lists_what_can_be_converted(run):
    listed = json.loads(run("concepts", "kinds", "--json")[1])
    assert {"masks", "broden"} <= {each["kind"] for each in listed}


MADE_BEFORE = str(Path(__file__).parent / "made_before" / "names.db")
"""A run without evidence."""

BAD = {
    "no such photograph": (["explain", "{world}/none.png", "--db", "{world}/n.db"], "no such file"),
    "empty photograph": (["explain", "{tmp}/empty.png", "--db", "{world}/n.db"], "empty.png"),
    "no photograph at all": (["explain", "{tmp}/text.jpg", "--db", "{world}/n.db"], "text.jpg"),
    "animation": (["explain", "{tmp}/moves.gif", "--db", "{world}/n.db"], "frames"),
    "no such database": (["explain", "{world}/red.png", "--db", "{tmp}/none.db"], "none.db"),
    "a photograph as database": (["units", "--db", "{world}/red.png"], "red.png"),
    "no such class": (["explain", "{world}/red.png", "--db", "{world}/n.db", "--target", "fier"], "fire"),
    "no such class to query": (["concepts", "of", "lak", "--db", "{world}/n.db"], "lake"),
    "no such concept": (["classes", "for", "rad", "--db", "{world}/n.db"], "red"),
    "no such run": (["units", "--db", "{world}/n.db", "--run", "9"], "run"),
    "no such unit": (["units", "--db", "{world}/n.db", "--unit", "9"], "9"),
    "method without a place": (
        ["explain", "{world}/red.png", "--db", "{world}/n.db", "--method", "grad-cam"],
        "name a folder for pictures with --out",
    ),
    "method that is not defined": (
        ["explain", "{world}/red.png", "--db", "{world}/n.db", "--method", "cam", "--out", "{tmp}/why"],
        "CAM needs global average pooling and one linear layer between 'rectify' and the scores",
    ),
    "other weights": (
        ["explain", "{world}/red.png", "--db", "{world}/n.db", "--weights", "{tmp}/other.pt"],
        "saved state dict",
    ),
    "two forms": (["units", "--db", "{world}/n.db", "--json", "--csv"], "leave one of them out"),
    "evidence for a run without any": (
        ["explain", "{world}/red.png", "--db", MADE_BEFORE, "--max-q", "0.5"],
        "keeps no evidence for names",
    ),
    "truth for a run without any": (
        ["explain", "{world}/red.png", "--db", MADE_BEFORE, "--min-truth", "0.9"],
        "keeps no evidence for names",
    ),
    "layer of an exported run": (
        ["import", "{world}/n.db", "--db", "{tmp}/x.db", "--layer", "x", "--quantile", "0.1"],
        "--layer, --quantile would be ignored",
    ),
    "licence in CSV": (
        ["export", "--db", "{world}/n.db", "--licence", "CC0", "{tmp}/x.csv"],
        "--licence would be ignored: CSV has no place for it",
    ),
    "mirror of a list": (["concepts", "fetch", "--mirror", "https://localhost"], "--mirror would be ignored"),
    "list of one": (["concepts", "fetch", "broden1_224", "--list", "--json"], "--list, --json would be ignored"),
    "two files for one": (
        ["concepts", "fetch", "broden1_224", "{tmp}/b", "--file", "{world}/red.png", "--file", "{world}/blue.png"],
        "are both for broden1_224.zip",
    ),
    "no share to check": (["concepts", "check", "{world}/squares", "--quantile", "7"], "is not a share"),
    "no concepts": (["build", *NETWORK, "--concepts", "{tmp}/void", "--db", "{tmp}/x.db"], "void"),
    "no such network": (
        ["build", "--network", "vgg61", "--concepts", "{world}/squares", "--db", "{tmp}/x.db"],
        "vgg16",
    ),
    "no such layer": (
        ["build", *NETWORK, "--layer", "rectifi", "--concepts", "{world}/squares", "--db", "{tmp}/x.db"],
        "rectify",
    ),
    "no share": (
        ["build", *NETWORK, "--concepts", "{world}/squares", "--db", "{tmp}/x.db", "--quantile", "2"],
        "0.005",
    ),
    "one draw": (
        ["build", *NETWORK, "--concepts", "{world}/squares", "--db", "{tmp}/x.db", "--draws", "1"],
        "give at least 2, or 0 for none",
    ),
    "not three numbers": (["build", *NETWORK, "--mean", "0,0", "--concepts", "{world}/squares", "--db", "x"], "three"),
    "not a size": (["build", *NETWORK, "--resize", "0x9", "--concepts", "{world}/squares", "--db", "x"], "256x256"),
    "no place for pictures": (
        ["explain", "{world}/red.png", "--db", "{world}/n.db", "--out", "{world}/red.png/why"],
        "red.png/why",
    ),
    "no device": (
        ["explain", "{world}/red.png", "--db", "{world}/n.db", "--device", "potato"],
        "potato",
    ),
    "wrong number of classes": (
        ["build", *NETWORK, "--classes", "{tmp}/text.jpg", "--concepts", "{world}/squares", "--db", "{tmp}/x.db"],
        "4",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, world, run, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a photograph\n")
    (tmp_path / "void").mkdir()
    (tmp_path / "other.pt").write_bytes(b"not weights")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    words, told = BAD[case]
    status, _, err = run(*(word.format(world=world, tmp=tmp_path) for word in words))
    assert status == 2
    assert told in one_line(err)
    assert not (tmp_path / "none.db").exists()


def test_a_bad_photograph_does_not_cost_the_good_ones(world, run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"x")
    status, out, err = run("explain", tmp_path / "bad.png", world / "red.png", "--db", world / "n.db")
    assert status == 2
    assert "The network says fire" in out
    assert "bad.png" in one_line(err)


@pytest.mark.parametrize(
    ("words", "told"),
    {
        "build": r"missing option '--network'; see \S+ build --help",
        "explain": r"missing argument 'IMAGE...'; see \S+ explain --help",
        "explain a.png --top 0": r"'--top'.* 1; see \S+ explain --help",
        "explain --tip 3": r"no such option: --tip.*--top.*; see \S+ explain --help",
        "evaluate guessing --out x": r"no such command 'guessing'; see \S+ evaluate --help",
        "explain a --db b --rank-by size": r"'--rank-by'.* 'size' is not one of 'alpha', 'effect', 'contribution'; see",
        "explain a --db b --method tea": r"'--method'.* 'tea' is not one of 'grad-cam', .*; see \S+ explain --help",
        "concepts ponder": r"no such command 'ponder'.*; see \S+ concepts --help",
    }.items(),
)
def test_usage_errors_are_one_line_and_status_2(words, told, run):
    status, out, err = run(*words.split())
    assert status == 2
    assert not out
    assert re.search(told, err)
    assert err.count("\n") == 1


def test_a_command_without_words_shows_its_help(run):
    status, out, err = run("concepts")
    assert status == 2
    assert "convert" in out
    assert not err


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "stopped by SIGTERM")]
)
def test_a_build_that_is_stopped_leaves_the_database_as_it_was(number, status, word, world, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom worlds import ColourNet\n"
        "class Slow(ColourNet):\n"
        "    def forward(self, x):\n        time.sleep(0.2 * (len(x) > 1))\n        return super().forward(x)\n"
        "def net():\n    return Slow().eval()\n"
    )
    database = tmp_path / "n.db"
    database.write_bytes((world / "n.db").read_bytes())
    before = database.read_bytes()
    words = ["build", "--network", f"{slow}:net", *NETWORK[2:], "--concepts", world / "squares", "--db", database]
    process = subprocess.Popen(
        [sys.executable, "-m", "neuronexplain", *map(str, words), "--batch-size", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    assert process.stderr.readline().startswith("net, layer rectify")
    time.sleep(1.5)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == status
    assert word in one_line(told)
    assert database.read_bytes() == before


def test_a_build_that_fails_makes_no_database(world, run, tmp_path):
    nan = tmp_path / "nan.py"
    nan.write_text(
        "from worlds import ColourNet\n"
        "def net():\n    made = ColourNet().eval()\n    made.detect.weight.data[:] = float('nan')\n    return made\n"
    )
    words = [
        "build",
        "--network",
        f"{nan}:net",
        *NETWORK[2:],
        "--concepts",
        world / "squares",
        "--db",
        tmp_path / "n.db",
    ]
    status, _, err = run(*words)
    assert status == 2
    assert "NaN" in one_line(err)
    assert not (tmp_path / "n.db").exists()


@pytest.mark.parametrize("name", command_names())
def test_help_has_an_example_for_every_command(name, run):
    status, out, _ = run(*name.split()[1:], "--help")
    assert status == 0
    assert f"Example: {name} " in f"{' '.join(out.split())} "


def test_names_that_are_not_utf_8_go_through_every_command(world, run, tmp_path):
    data = tmp_path / "d\udce9"
    shutil.copytree(world / "squares", data)
    for folder in ("images", "masks"):
        (data / folder / "000.png").rename(data / folder / "caf\udce9.png")
    (tmp_path / "classes" / "class 0").mkdir(parents=True)
    shutil.copy(data / "images" / "caf\udce9.png", tmp_path / "classes" / "class 0" / "caf\udce9.png")
    assert run("concepts", "check", data)[0] == 0
    words = ["build", *NETWORK, "--concepts", data, "--db", tmp_path / "n.db", "--class-images", tmp_path / "classes"]
    status, out, err = run(*words)
    assert (status, "d%E9" in out) == (0, True), err
    photograph, missing = data / "images" / "caf\udce9.png", tmp_path / "none\udce9.png"
    status, out, err = run("explain", photograph, missing, "--db", tmp_path / "n.db", "--out", tmp_path / "w\udce9")
    assert status == 2, err
    assert "caf%E9.png" in out
    assert "none%E9.png: there is no such file" in err
    assert len(json.loads((tmp_path / "w\udce9" / "explanations.json").read_text())) == 1
    status, out, err = run("export", tmp_path / "names.json", "--db", tmp_path / "n.db")
    assert status == 0, err
    words = ["evaluate", "insertion-deletion", "--db", tmp_path / "n.db", "--kind", "photographs"]
    status, out, err = run(*words, "--data", data / "images", "--out", tmp_path / "figures")
    assert status == 0, err
    assert "caf%E9.png" in (tmp_path / "figures" / "insertion-deletion.jsonl").read_text()


def with_streams_closed(closed, *words):
    line = ["bash", "-c", f'"$@" {closed}', "bash", sys.executable, "-m", "neuronexplain", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_build_works_with_standard_streams_closed(world, tmp_path):
    words = ["build", *NETWORK, "--concepts", world / "squares", "--draws", "0", "--db", tmp_path / "n.db"]
    done = with_streams_closed(">&- 2>&- <&-", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with NameStore.open(tmp_path / "n.db") as store:
        assert len(store.runs()) == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_query_works_with_a_standard_stream_closed(closed, world):
    done = with_streams_closed(closed, "units", "--db", world / "n.db")
    assert done.returncode == 0, done.stderr
    assert ("yellow" in done.stdout) is closed.startswith(("2", "<"))


@pytest.fixture
def run_unread(run):
    """Runs a command whose standard output nobody reads any more, as behind ``head``; closing it must not fail."""

    def call(*words):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe, redirect_stdout(pipe):
            return run(*words)

    return call


def test_who_stops_reading_stops_a_command_that_only_prints(world, run_unread):
    assert run_unread("units", "--db", world / "n.db") == (1, "", "")


def test_who_stops_reading_stops_no_command_that_leaves_files(world, run_unread, tmp_path):
    words = ["explain", world / "red.png", world / "blue.png", "--db", world / "n.db", "--out", tmp_path / "page"]
    status, _, err = run_unread(*words)
    assert status == 0, err
    assert (tmp_path / "page" / "index.html").is_file()


def test_who_stops_reading_the_demo_finds_all_of_it(run_unread, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "DEMO_SCENES", 12)
    monkeypatch.setattr(demo, "DESCRIBED_SCENES", 12)
    monkeypatch.setattr(console, "say", partial(print, flush=True))
    status, _, err = run_unread("demo", "--out", tmp_path / "demo")
    assert status == 0, err
    assert "Captions and answers" in (tmp_path / "demo" / "index.html").read_text()


def test_a_library_that_does_not_fit_into_memory_is_told():
    error = ImportError("libtorch_cpu.so: failed to map segment from shared object")
    assert failures._outcome(error) == (f"out of memory: {error}; allow the process more of it", 2)
    assert failures._outcome(ImportError("no module"))[1] == 1
