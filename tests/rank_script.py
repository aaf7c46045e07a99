"""A command line with one more command, for torchrun to start: ranks that agree, fail, are killed or wait."""

import json
import os
import signal
import time
import warnings
from pathlib import Path

import torch

from dissection.errors import ConceptDataError
from dissection.execution.ranks import Ranks, local_device, ranks
from neuronexplain.cli import console
from neuronexplain.cli.app import app, main


def answers(group: Ranks) -> dict[str, object]:
    """The result of every method on this rank."""
    number = group.number
    return {
        "count": group.count,
        "sum": group.sum(torch.tensor([[2**61 // group.count + number], [-number]])).tolist(),
        "largest": group.largest(torch.tensor([float(number), -float(number)], dtype=torch.float64)).tolist(),
        "smallest": group.smallest(torch.tensor(number)).item(),
        "flags": group.largest(torch.arange(group.count) == number).tolist(),
        "columns": group.sum(torch.arange(6).reshape(2, 3).T).tolist(),
        "empty": list(group.sum(torch.empty(0, 3)).shape),
        "gather": group.gather({"rank": number, "text": "x" * number}),
        "broadcast": group.broadcast(f"from {number}"),
        "ragged": [part.tolist() for part in group.gather_ragged(torch.arange(number))],
        "nothing": [part.tolist() for part in group.gather_ragged(torch.arange(0))],
    }


def agree(folder: Path) -> None:
    """Run twice: the second group must not meet anything that the first one left behind."""
    asked = []
    for _ in range(2):
        with ranks() as group:
            asked.append(answers(group))
    number = os.environ["RANK"]
    (folder / f"{number}.json").write_text(json.dumps(asked))
    console.say(f"out {number}")
    console.note(f"note {number}")
    warnings.warn(f"warning {number}", stacklevel=1)
    with console.progress() as progress:
        progress(f"bar {number}", 1, 1)
    (folder / f"{number}.device").write_text(local_device("cuda") + local_device("cpu"))


def fail(folder: Path) -> None:
    """The last rank finds bad data while the others wait for it."""
    with ranks() as group:
        group.sum(torch.ones(3))
        if group.number == group.count - 1:
            raise ConceptDataError(f"{folder / 'x.png'} is\nno mask")
        group.sum(torch.ones(100_000))


def fail_early(folder: Path) -> None:
    """The last rank does not even join."""
    if os.environ["RANK"] == str(int(os.environ["WORLD_SIZE"]) - 1):
        raise ConceptDataError("nothing there")
    with ranks():
        pass


def killed(folder: Path) -> None:
    """The last rank is killed while the others wait for it."""
    with ranks() as group:
        group.sum(torch.ones(3))
        if group.number == group.count - 1:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        group.sum(torch.ones(100_000))


def wait(folder: Path) -> None:
    """Rank 0 is busy and the others wait for it."""
    with ranks() as group:
        group.sum(torch.ones(3))
        (folder / f"{group.number}.here").touch()
        if group.number == 0:
            time.sleep(60)
        group.sum(torch.ones(100_000))


def act(folder: Path, what: list[str]) -> None:
    """Some of the above, one after another."""
    acts = {"agree": agree, "fail": fail, "early": fail_early, "killed": killed, "wait": wait}
    for name in what:
        acts[name](folder)


if __name__ == "__main__":
    app.command("act")(act)
    main()
