"""Whether maps point at what words and answers are about, beside maps that should not: shared by both.

Every figure stands beside its controls:

(at random)
    the region's share of the picture.
(the centre), (mean activation)
    maps without a gradient: a cone in the middle, and the mean of all units' maps.
(of another word), (of another question)
    maps of the same picture that should point elsewhere: means over all of them.
(of another picture)
    maps for the same word, or the same answer to the same question, of pictures drawn at random: means likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuronexplain.methods.gradcam import enlarge
from neuronexplain.metrics.energy_ratio import share_inside
from neuronexplain.metrics.intervals import figure
from neuronexplain.metrics.pointing_game import is_hit, peak

from .baselines import CENTRE
from .tables import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Float, Float32

    from neuronexplain.methods import Method
    from neuronexplain.metrics.intervals import Figure

    from .batch import Batch
    from .record_journal import Record
    from .tables import TableRow

AREA, ACTIVATION, RIVAL, BESIDE = "area", "activation", "rival", "beside"
"""Names of the controls in records, which no method has."""

Outcome = list[float]
"""Whether a map's maximum is in a region (1 or 0; a mean, of several maps), and the share of the map that is in it."""

Trial = dict[str, Any]
"""What is recorded of a word or an answer: text, kind, outcomes by method or control, and methods whose map is flat."""


def outcome(values: Float[np.ndarray, "h w"], region: Bool[np.ndarray, "h w"]) -> Outcome:
    """How one map points; a map that is 0 everywhere is as one that prefers no pixel."""
    share = share_inside(values, region)
    return [float(is_hit(values, region)), float(region.mean()) if share is None else share]


def mean_outcome(maps: Iterable[Float[np.ndarray, "h w"]], region: Bool[np.ndarray, "h w"]) -> Outcome | None:
    """How maps point on average; None if there are none."""
    outcomes = [outcome(values, region) for values in maps]
    return [float(mean) for mean in np.mean(outcomes, 0)] if outcomes else None


def chance(region: Bool[np.ndarray, "h w"]) -> Outcome:
    """How a point at random, and a map that prefers no pixel, are expected to point."""
    return [float(region.mean())] * 2


def is_flat(values: Float[np.ndarray, "h w"]) -> bool:
    """Whether a map prefers no pixel."""
    return peak(values) is None


def activation_maps(batch: Batch) -> Float32[np.ndarray, "images H W"]:
    """The mean of all units' maps of each image, over the view: what can be seen without any gradient."""
    maps: Float32[np.ndarray, "images H W"]
    maps = enlarge(batch.seen.activation.detach().float().mean(1), batch.view.size).cpu().numpy()
    return maps


def pointing_report(
    title: str,
    records: Sequence[Record],
    methods: Sequence[Method],
    *,
    of_what: str,
    controls: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> Report:
    """A row for each method and each control: how often it points right, of all and of each kind.

    Args:
        title: what was measured.
        records: with the trials of each image under "trials".
        methods: the methods.
        of_what: what is pointed at: words or answers.
        controls: the controls by name, with their titles.
        notes: what a reader must know.
    """
    kinds = list(dict.fromkeys(trial["kind"] for record in records for trial in record["trials"]))
    shown = kinds if len(kinds) > 1 else []
    columns = {
        "method": "method",
        "hits": "maximum inside %",
        **{f"hits, {kind}": f"{kind or 'no kind'} %" for kind in shown},
        "share": "of the map inside %",
        "flat": "flat maps",
        "trials": of_what,
        "images": "images",
    }
    rows: list[TableRow] = []
    for name, row_title in [*((method.name, method.title) for method in methods), *controls]:
        trials = [[trial for trial in record["trials"] if trial["outcomes"].get(name)] for record in records]
        rows.append(
            {
                "method": row_title,
                "hits": _percent(trials, name, 0),
                **{
                    f"hits, {kind}": _percent([_of_kind(of_image, kind) for of_image in trials], name, 0)
                    for kind in shown
                },
                "share": _percent(trials, name, 1),
                "flat": sum(name in trial["flat"] for of_image in trials for trial in of_image),
                "trials": sum(map(len, trials)),
                "images": sum(map(bool, trials)),
            }
        )
    return Report(title, columns, tuple(rows), tuple(notes))


def controls_titled(method: Method, rival: str) -> list[tuple[str, str]]:
    """The controls that words and answers share, with their titles.

    Args:
        method: the method whose maps of other things and other pictures are controls.
        rival: whose map of the same picture should point elsewhere.
    """
    return [
        (AREA, "(at random)"),
        (CENTRE.name, CENTRE.title),
        (ACTIVATION, "(mean activation)"),
        (RIVAL, f"({method.title} of {rival})"),
        (BESIDE, f"({method.title} of another picture)"),
    ]


def _of_kind(trials: Sequence[Trial], kind: str) -> list[Trial]:
    return [trial for trial in trials if trial["kind"] == kind]


def _percent(trials: Sequence[Sequence[Trial]], name: str, position: int) -> Figure:
    """The mean of an outcome over all trials of all images."""
    sums = [100 * sum(trial["outcomes"][name][position] for trial in of_image) for of_image in trials]
    return figure(sums, [len(of_image) for of_image in trials])
