"""Ranks that are threads of one process: their results are pooled as among processes, at no cost."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import torch

from dissection.execution.ranks import Ranks


class Meeting:
    def __init__(self, count):
        self.barrier = Barrier(count, timeout=60)
        self.values = [None] * count


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    meeting: Meeting = field(default=None)

    def gather(self, value):
        self.meeting.values[self.number] = pickle.dumps(value)
        self.meeting.barrier.wait()
        values = [pickle.loads(each) for each in self.meeting.values]
        self.meeting.barrier.wait()
        return values

    def sum(self, tensor):
        return torch.stack(self.gather(tensor.clone())).sum(0).to(tensor.dtype)

    def largest(self, tensor):
        return torch.stack(self.gather(tensor.clone())).amax(0)

    def smallest(self, tensor):
        return torch.stack(self.gather(tensor.clone())).amin(0)


def on_ranks(count, work):
    """What ``work(ranks)`` returns on each of ``count`` ranks."""
    meeting = Meeting(count)

    def run(number):
        try:
            return work(ThreadRanks(number, count, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
