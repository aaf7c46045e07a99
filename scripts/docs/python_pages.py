"""The reference of the Python API: which public name stands on which page, for mkdocstrings to fill in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_text import table

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "reference/python"
"""Where the pages lie below ``docs/``."""


@dataclass(frozen=True, slots=True)
class ApiPage:
    """A page of the API.

    Attributes:
        title: its heading.
        introduction: what the names on it are for, in Markdown.
        members: the names that it documents, separated by spaces, by the module that a user imports them from.
        bases: classes that others on the page inherit from, likewise: of these, only the attributes are shown.
    """

    title: str
    introduction: str
    members: Mapping[str, str]
    bases: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The whole path of each name."""
        return (*_paths(self.members), *_paths(self.bases))

    @property
    def directives(self) -> list[str]:
        """What mkdocstrings is told to put on the page."""
        attributes = "    options:\n      members: false"
        directives = [f"::: {path}" for path in _paths(self.members)]
        return directives + [f"::: {path}\n{attributes}" for path in _paths(self.bases)]


def _paths(members: Mapping[str, str]) -> list[str]:
    return [f"{module}.{name}" for module, names in members.items() for name in names.split()]


PAGES: Mapping[str, ApiPage] = {
    "explaining.md": ApiPage(
        "Explaining",
        "Why a network says what it says of a photograph, in words. "
        "[NeuronExplain in Python](../../how-to/in-python.md) shows how these are used together.",
        {
            "neuronexplain": "explain Explainer Explanation Comparison Rules RankedUnit Score write_page",
            "neuronexplain.answer": "Contrast MethodMap ExemplarPicture",
        },
        {"neuronexplain.answer": "Answer AnswerPair"},
    ),
    "captions.md": ApiPage(
        "Captions",
        "Why a network writes the words of a caption; see "
        "[captions and questions](../../how-to/captions-and-questions.md).",
        {
            "neuronexplain": "explain_caption CaptionExplainer ExplainedCaption",
            "neuronexplain.caption": "SaidWord Debt",
        },
        {"neuronexplain.caption": "CaptionAnswer"},
    ),
    "maps.md": ApiPage(
        "Maps",
        "Grad-CAM, its relatives and its rivals, as maps over the image; see "
        "[other explanations](../../how-to/other-explanations.md).",
        {
            "neuronexplain": "saliency METHODS",
            "neuronexplain.methods": "Method Target at total probability find_method check_methods watched",
        },
    ),
    "building.md": ApiPage(
        "Building",
        "Names for the neurons of a layer: found by `dissect`, found and kept by `build`.",
        {
            "neuronexplain": "build build_layers dissect Built Dissection Unit UnitName Overlap Concept Layer "
            "Execution open_class_images"
        },
    ),
    "networks.md": ApiPage(
        "Networks",
        "A network, the layer that is read, and what it expects of a photograph; see "
        "[your own network](../../how-to/own-network.md).",
        {"neuronexplain": "open_network open_network_of Network Preprocessing AssumedPreprocessingWarning"},
        {"dissection.networks.tapped": "TappedNetwork"},
    ),
    "concept-data.md": ApiPage(
        "Concept data",
        "Photographs whose pixels are labelled; see [concept data](../../how-to/concept-data.md).",
        {
            "neuronexplain": "open_concepts",
            "dissection.concepts.dataset": "ConceptDataset",
            "dissection.concepts.generated": "write_scenes",
        },
    ),
    "databases.md": ApiPage(
        "Databases",
        "Where the names are kept, and what is kept of a run.",
        {
            "neuronexplain": "NameStore",
            "db": "Run RunKey WholeRun ClassImportance Adopted ClassConcept ConceptClass Excess RankBy SCHEMA",
        },
    ),
    "frames.md": ApiPage(
        "Frames",
        "What a database holds, as data frames of pandas.",
        {"neuronexplain": "runs_frame units_frame overlaps_frame importances_frame"},
    ),
    "evaluation.md": ApiPage(
        "Evaluation",
        "How good explanations are. A protocol is a value; `evaluate` runs it over images. "
        "[Metrics](../metrics.md) has the equations.",
        {
            "neuronexplain.evaluation.runner": "evaluate",
            "neuronexplain.evaluation.ground_truth.opening": "open_ground",
            "neuronexplain.evaluation.protocols": "Protocol Localisation Pointing OcclusionCorrelation Seeds Ratio "
            "InsertionDeletion UnitAblation Words CaptionPointing CaptionRatio CaptionAccuracy CaptionDebts "
            "AnswerAccuracy AnswerPointing AnswerOcclusion AnswerAttention",
            "neuronexplain.evaluation.tables": "Report",
            "neuronexplain.metrics.intervals": "Figure",
        },
    ),
    "audits.md": ApiPage(
        "Audits",
        "Whether a network uses what it should; see [audits](../../how-to/audit.md).",
        {
            "neuronexplain.audit.photograph_pass": "PhotographPass",
            "neuronexplain.audit.mistakes.mistakes": "check_photographs CheckedPhotograph Mistake SpeaksFor "
            "ConceptPart",
            "neuronexplain.audit.groups.groups": "compare_groups GroupedRecords GroupGap ConceptDifference",
            "neuronexplain.audit.effect.effect": "audit_effect Reliance",
            "neuronexplain.audit.effect.named_network": "NamedNetwork Leaning",
            "neuronexplain.audit.effect.photographs": "audited_photographs AuditedPhotographs",
            "neuronexplain.audit.effect.ways": "Way",
            "neuronexplain.audit.effect.verdicts": "Verdict",
            "neuronexplain.audit.compare.runs": "compare_runs RunsCompared",
            "neuronexplain.audit.rules.rules_file": "read_rules RulesFile LeaningRule RulesError",
            "neuronexplain.audit.rules.rules_run": "audit_rules",
            "neuronexplain.audit.rules.rules": "JudgedRule",
        },
    ),
    "arguments.md": ApiPage(
        "Arguments",
        "What functions take where they speak of a network, a photograph or a class: what you hold, or its name. "
        "What cannot be taken is a `TypeError` of one sentence.",
        {
            "neuronexplain.arguments": "NetworkLike ConceptsLike ClassImagesLike ImageLike ImagesLike NamedImage",
            "neuronexplain.class_arguments": "ClassLike ClassPair TrueClassLike TargetLike",
            "db.arguments": "StoreLike",
            "db.records": "RunLike",
            "dissection.networks.foreign_preprocessing": "PreprocessingLike",
            "neuronexplain.progress": "ProgressChoice",
            "neuronexplain.vocabulary": "Among MethodName",
        },
    ),
    "errors.md": ApiPage(
        "Errors",
        "Every error of ours is a `NeuronExplainError`, whose message is one line. "
        "[Errors](../errors.md) has the messages, and what to do.",
        {
            "neuronexplain": "NeuronExplainError",
            "dissection.errors": "PhotographError ConceptDataError DownloadError ArchiveError OutputError NetworkError "
            "LayerNotFoundError WeightsError ActivationError UnknownWordError CaptionError NotConnectedError "
            "CheckpointError ClassNotFoundError RanksError",
            "db": "StoreError RunNotFoundError ConceptNotFoundError SchemaError",
        },
    ),
}
"""The pages by file name, in the order of the navigation."""


def python_pages() -> Mapping[str, str]:
    """The Markdown of each page by its path below ``docs/``, with a directive of mkdocstrings for each name."""
    rows = [(f"[{page.title}]({file})", ", ".join(map(_link, page.names))) for file, page in PAGES.items()]
    introduction = "`neuronexplain` is the package to import; what lies elsewhere has its whole path as its heading."
    index = "\n\n".join(["# Python", introduction, table(("page", "names"), rows)])
    return {f"{FOLDER}/index.md": index} | {f"{FOLDER}/{file}": _markdown(page) for file, page in PAGES.items()}


def _link(name: str) -> str:
    return f"[`{name.rpartition('.')[2]}`][{name}]"


def _markdown(page: ApiPage) -> str:
    return "\n\n".join([f"# {page.title}", page.introduction, *page.directives]) + "\n"
