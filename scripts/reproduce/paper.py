"""The figures of the Grad-CAM paper (Selvaraju et al. 2019), and the order of figures that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verdicts import Interval

PAPER: dict[str, tuple[str, str, dict[str, float]]] = {
    "localisation": (
        "Table 1, VGG-16 on ILSVRC-15 val: top-1 localisation error %",
        "box_1",
        {"gradient": 61.12, "c-mwp": 70.92, "grad-cam": 56.51, "cam": 57.20},
    ),
    "localisation-ten": (
        "Table 3, on ILSVRC-15 val: top-1 localisation error %, 10 crops",
        "box_1",
        {
            "grad-cam": 59.65,
            "grad-cam-no-relu": 74.98,
            "grad-cam-absolute": 58.19,
            "grad-cam-max": 59.96,
            "grad-cam-deconv-relu": 83.95,
            "grad-cam-guided-relu": 59.14,
        },
    ),
    "pointing": ("Sec. 4.3, GoogLeNet on COCO: top-5 with rejection, %", "reject", {"grad-cam": 70.58, "c-mwp": 60.30}),
    "occlusion-correlation": (
        "Sec. 5.3, VGG-16 on PASCAL VOC 2007 val: rank correlation",
        "correlation",
        {"grad-cam": 0.254, "guided-grad-cam": 0.261, "guided-backprop": 0.168, "c-mwp": 0.220, "cam": 0.208},
    ),
    "seeds": (
        "Sec. 4.2, PASCAL VOC 2012: IoU % of the segmentation that SEC makes of the seeds",
        "iou",
        {"grad-cam": 49.6, "cam": 44.6},
    ),
    "ratio": (
        "Sec. 8.1, captions of COCO: mean inside / outside of the box",
        "ratio",
        {"grad-cam": 3.27, "guided-backprop": 2.32, "guided-grad-cam": 6.38},
    ),
    "caption-ratio": (
        "Sec. 8.1, captions of regions of COCO: mean inside / outside of the box",
        "mean",
        {"grad-cam": 3.27, "guided-backprop": 2.32, "guided-grad-cam": 6.38},
    ),
    "caption-pointing": ("Sec. 8.1.1, NeuralTalk2 on COCO: maximum inside, %", "hits", {"grad-cam": 30.0}),
    "answer-occlusion": (
        "Sec. 8.2, Lu et al.: rank correlation",
        "correlation",
        {"grad-cam": 0.60, "guided-backprop": 0.42},
    ),
}
"""By protocol: the place in the paper, our column, and the figure of each method."""

_ITSELF = "a map that sees no image agrees with itself, so agreement says nothing without its control"

REMARKS: dict[str, tuple[str, ...]] = {
    "localisation": (
        "the paper has Backprop and c-MWP boxes by GrabCut; ours are the map's own, specks where it is of pixels",
    ),
    "ratio": ("the paper's boxes are regions that a captioner describes; ours are objects",),
    "seeds": ("the paper's figure is of a network trained on the seeds; ours is of the seeds themselves",),
    "adversarial": (_ITSELF,),
    "adversarial-weak": (_ITSELF,),
    "insertion-deletion": (
        "the whole picture and rejecting everything are flat and put no pixel before another: they are (at random)",
    ),
    "units": ("what is left out are units, not places: the baselines are other units",),
}
"""Notes for comparing our figures with the paper's."""

CAM_REMARK = (
    "where CAM is defined, Grad-CAM is its positive part (Sec. 3.1), so only negative values set them apart; the "
    "paper's two figures are of two networks"
)
"""A note for every table with a row of CAM."""

BIAS = {"biased": 82.0, "rebalanced": 90.0}
"""Test accuracy %, Sec. 6.3."""


ERRORS = {"box_1"}
"""Columns in which less is better."""

BOUNDS: dict[str, Interval] = {
    **dict.fromkeys(("box_1", "reject", "iou", "accuracy", "mass", "hits", "right"), (0.0, 100.0)),
    **dict.fromkeys(("correlation", "agreement", "control"), (-1.0, 1.0)),
}
"""The least and greatest value of one image, by column; other columns have no such values."""

BY_DEFINITION = {
    *((name, "agreement") for name in ("whole-picture", "centre", "nothing")),
    ("whole-picture", "correlation"),
    ("whole-picture", "ratio"),
    ("nothing", "box_1"),
    ("nothing", "correlation"),
    ("nothing", "iou"),
}
"""Figures of baselines that would be the same over any images, by row and column."""


@dataclass(frozen=True)
class Claim:
    """A claim that one figure of a table is greater than another.

    Attributes:
        protocol: of the table.
        more: row and column of the greater figure.
        less: row and column of the other.
        says: where the paper says so.
    """

    protocol: str
    more: tuple[str, str]
    less: tuple[str, str]
    says: str

    @property
    def better(self) -> tuple[str, str]:
        """Row and column of the figure that the paper finds better."""
        return self.less if self.less[1] in ERRORS else self.more


def _claims() -> tuple[Claim, ...]:
    methods = []
    for protocol, (where, column, figures) in PAPER.items():
        grad_cam = figures["grad-cam"]
        for name, figure in figures.items():
            if name != "grad-cam":
                more, less = ("grad-cam", name) if grad_cam > figure else (name, "grad-cam")
                methods.append(Claim(protocol, (more, column), (less, column), where.split(",")[0]))
    guided = [
        Claim(protocol, ("guided-grad-cam", PAPER[protocol][1]), ("guided-backprop", PAPER[protocol][1]), where)
        for protocol, where in (("occlusion-correlation", "Sec. 5.3"), ("ratio", "Sec. 8.1"))
    ]
    studies = [
        Claim("adversarial", ("grad-cam", "agreement"), ("grad-cam", "control"), "Sec. 6.2, Fig. 7"),
        Claim("adversarial-weak", ("grad-cam", "agreement"), ("grad-cam", "control"), "Sec. 6.2, but only to > 0.9"),
        Claim("bias", ("rebalanced", "accuracy"), ("biased", "accuracy"), "Sec. 6.3"),
        Claim("bias", ("rebalanced", "mass"), ("biased", "mass"), "Sec. 6.3, Fig. 8"),
        Claim("units", ("named", "logit"), ("any", "logit"), "Sec. 7"),
    ]
    return (*methods, *guided, *studies)


CLAIMS = _claims()
