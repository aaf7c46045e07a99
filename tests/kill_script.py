"""Builds a run in processes that are killed at random moments, until one of them gets to the end.

Usage: kill_script.py FOLDER KILLS SEED. Children are forked before PyTorch has threads, so that a life costs little.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from worlds import colour_network

import dissection.engine.cells as cells_module
import dissection.execution.checkpoint as checkpoint_module
from db import NameStore
from dissection.concepts.plain_layout import PlainLayout
from neuronexplain import Execution
from neuronexplain.building import build_layers

PAUSE = 0.004
BATCH = 2


def build_once(folder: Path, database: str) -> None:
    torch.set_num_threads(1)
    checkpoint_module._PAUSE, checkpoint_module._SHARE = 0.02, 0.5
    cells_module._SEGMENT = cells_module._ROOM = 20_000
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def slowly(stage: str, done: int, _total: int) -> None:
        os.write(log, f"{stage} {done}\n".encode())
        time.sleep(PAUSE if "reading" not in stage else 0)

    with NameStore.create(folder / database) as store:
        execution = Execution(BATCH, scratch=folder / "unfinished", progress=slowly)
        build_layers([colour_network()], PlainLayout(folder / "squares", label_size=32), store, execution=execution)


def main() -> None:
    folder, kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(sys.argv[3])
    done = database = 0
    begun = False
    while done < kills or begun:  # the last build gets to its end
        child = os.fork()
        if child == 0:
            build_once(folder, f"{database}.db")
            os._exit(0)
        deadline = time.monotonic() + dice.uniform(0.05, 0.9)
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and (time.monotonic() < deadline or done >= kills):
            time.sleep(0.002)
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            done, begun = done + 1, True
            with (
                NameStore.open(folder / f"{database}.db")
                if (folder / f"{database}.db").exists()
                else Nothing() as store
            ):
                assert len(store.runs()) <= 1
        elif ended[1] != 0:
            sys.exit(f"a build ended with status {ended[1]}")
        else:
            database, begun = database + 1, False
    print(done, database)


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def runs(self):
        return []


if __name__ == "__main__":
    main()
