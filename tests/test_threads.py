"""Work in threads: results in order, errors where they belong, and no thread waits that could work."""

import threading
import time

import numpy as np
import pytest

import dissection.execution.slices as slices_module
import dissection.execution.threads as threads_module
from dissection.execution.slices import in_slices
from dissection.execution.threads import in_threads


@pytest.fixture(params=[1, 2, 4])
def cores(request, monkeypatch):
    monkeypatch.setattr(threads_module, "cores", lambda: request.param)
    return request.param


@pytest.mark.usefixtures("cores")
def test_results_come_in_the_order_of_the_tasks():
    def work(task):
        time.sleep(0.002 * (task % 3))
        return task**2

    assert list(in_threads(work, range(40))) == [task**2 for task in range(40)]
    assert list(in_threads(work, [])) == []


@pytest.mark.usefixtures("cores")
def test_what_comes_before_an_error_is_given_and_nothing_new_is_begun_behind_it():
    begun = []

    def work(task):
        begun.append(task)
        if task >= 3:
            raise ValueError(str(task))
        time.sleep(0.01)
        return task

    results = in_threads(work, range(1000))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert len(begun) < 30


def test_errors_are_raised_in_the_order_of_the_tasks(cores):
    def work(task):
        if task == 0:
            time.sleep(0.05)
        raise ValueError(str(task))

    with pytest.raises(ValueError, match="0"):
        list(in_threads(work, range(2 * cores)))


def test_whoever_waits_for_a_result_does_what_nobody_has_begun(monkeypatch):
    monkeypatch.setattr(threads_module, "cores", lambda: 2)
    done = threading.Event()

    def work(task):
        if task == 0:
            return done.wait(30)  # for the other task, for which there is no other thread than the one that asks
        done.set()
        return threading.current_thread()

    waited, thread = in_threads(work, [0, 1])
    assert waited
    assert thread is threading.current_thread()


@pytest.mark.usefixtures("cores")
def test_tasks_are_made_by_the_thread_that_asks_a_few_ahead():
    made = []

    def tasks():
        for task in range(100):
            made.append(threading.current_thread())
            yield task

    results = in_threads(lambda task: task, tasks())
    assert next(results) == 0
    assert len(made) < 20
    results.close()
    assert set(made) == {threading.current_thread()}


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_slices_cover_everything_once(threads, monkeypatch):
    monkeypatch.setattr(slices_module.torch, "get_num_threads", lambda: threads)
    seen = np.zeros(100, int)
    by = set()

    def loop(step, start, stop):
        seen[start:stop] += step
        by.add(threading.current_thread())

    in_slices(loop, 100, 5, numbers=2**30)
    assert (seen == 5).all()
    assert threading.current_thread() in by


def test_an_error_in_any_slice_is_raised(monkeypatch):
    monkeypatch.setattr(slices_module.torch, "get_num_threads", lambda: 3)

    def loop(bad, start, stop):
        if start <= bad < stop:
            raise ValueError("bad")

    for bad in (0, 50, 99):
        with pytest.raises(ValueError, match="bad"):
            in_slices(loop, 100, bad, numbers=2**30)
