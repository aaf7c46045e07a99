"""What the application asks the network: why it says what it says, and where a neuron is alive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dissection.errors import NetworkError, require_finite
from dissection.networks.answer_writing import AnswerWriting
from dissection.networks.forward import maps_through
from dissection.networks.language import Answering
from neuronexplain.activity import concept_map
from neuronexplain.bodies import is_built_with, names_units_of
from neuronexplain.classes import find_class
from neuronexplain.explainer import Explainer
from neuronexplain.explaining import explained
from neuronexplain.language.captions import CaptionExplainer
from neuronexplain.listings import run_facts
from neuronexplain.pictures.overlay import concept_picture
from neuronexplain.report.inline_pictures import picture_uri
from neuronexplain.report.page import article, write_page
from neuronexplain.run_networks import open_network_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.records import Run
    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from neuronexplain.explanation import Comparison, ExplainedCaption, Explanation

    from .catalogue import Catalogue
    from .uploads import Upload

MOST_TARGETS = 2


@dataclass(frozen=True, slots=True)
class NetworkPlace:
    """Where networks are found, if not where their runs say; as the command line was told.

    Attributes:
        network: the network's name, if it has moved, or is code and its neurons were named elsewhere.
        weights: the place of its weights file.
        ema: whether to take averaged weights.
        device: where it runs.
        dictionary: the folder of the dictionary, of runs that name features.
    """

    network: str | None = None
    weights: Path | None = None
    ema: bool = False
    device: str = "cpu"
    dictionary: Path | None = None

    @property
    def is_named(self) -> bool:
        """Whether networks are found elsewhere, where another with the same body may lie."""
        return self.network is not None or self.weights is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a network can be asked.

    Attributes:
        network: its name.
        classes: the labels that it tells apart, without a question.
        takes_questions: whether it answers questions.
        takes_captions: whether it writes.
    """

    network: str
    classes: tuple[str, ...]
    takes_questions: bool
    takes_captions: bool

    @classmethod
    def of_run(cls, run: Run) -> Subject:
        """What can be asked of the network that a run was built with, as far as the run says."""
        return cls(run.network, run.classes, not run.classes or run.is_of_prompt, not run.classes)

    @classmethod
    def of_network(cls, network: Network) -> Subject:
        """What can be asked of a network."""
        answers = isinstance(network.language, Answering | AnswerWriting)
        return cls(network.name, network.classes, answers, not network.classes)

    @classmethod
    def unknown(cls) -> Subject:
        """A network that was not looked at yet: it may be asked anything."""
        return cls("", (), takes_questions=True, takes_captions=True)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked of a photograph.

    Attributes:
        run: the run whose names are spoken.
        targets: the classes to explain, as they were typed; none for the predicted one.
        methods: other methods to show.
        question: what a network that answers is asked; empty of others.
        caption: the caption to explain, of a network that writes; empty for the one that it writes.
    """

    run: Run
    targets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    question: str = ""
    caption: str = ""

    def require_sense(self, subject: Subject) -> None:
        """Check what can be checked before there is a photograph.

        Raises:
            ClassNotFoundError: if the network has no such class.
            NetworkError: if a class is explained of a network without, or a caption of one with classes.
        """
        if self.targets and not (subject.classes or self.question):
            raise NetworkError(f"{subject.network} has no classes; ask it a question, or leave the class out")
        if self.caption and subject.classes:
            raise NetworkError(f"{subject.network} has classes, and writes nothing; leave the caption out")
        if subject.classes and not self.question:
            self.classes(subject.classes)

    @property
    def written(self) -> str | None:
        """What to explain in place of what a network writes.

        Raises:
            NetworkError: if that is several texts.
        """
        texts = [*self.targets, *filter(None, [self.caption])]
        if len(texts) > 1:
            raise NetworkError("a network that writes is explained for one caption or answer at a time; give one")
        return texts[0] if texts else None

    def classes(self, labels: Sequence[str]) -> list[int]:
        """The indices of the classes among a network's, each once.

        Raises:
            ClassNotFoundError: if the network has no such class.
        """
        return list(dict.fromkeys(find_class(labels, target) for target in self.targets))


@dataclass(frozen=True, slots=True)
class Explained:
    """What came of a photograph, for one class or two.

    Attributes:
        run: the run whose names are spoken.
        is_of_run: whether classes are those of the run, and not of another network with the same body.
        image: what the photograph is called.
        article: what is shown.
        value: what ``explain --json`` prints of it.
        page: what is downloaded.
    """

    run: Run
    is_of_run: bool
    image: str
    article: str = field(repr=False)
    value: dict[str, Any] = field(repr=False)
    page: bytes = field(repr=False)

    @property
    def sides(self) -> list[dict[str, Any]]:
        """The value of each class that is explained, or of each word of a caption."""
        if "words" in self.value:
            return [word["explanation"] for word in self.value["words"] if word["explanation"]]
        sides: list[dict[str, Any]] = self.value.get("explanations", [self.value])
        return sides


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a unit responds in a photograph.

    Attributes:
        run: the run.
        unit: the unit.
        image: what the photograph is called.
        peak: the unit's greatest activation.
        share: the share of the photograph where it is above its threshold.
        picture: the photograph, dark elsewhere, as an address of data.
    """

    run: Run
    unit: int
    image: str
    peak: float
    share: float
    picture: str = field(repr=False)


class Explaining:
    """The one network in memory; its methods are called by one thread.

    Args:
        catalogue: what the database holds.
        place: where networks are found.
    """

    def __init__(self, catalogue: Catalogue, place: NetworkPlace) -> None:
        self._catalogue = catalogue
        self._place = place
        self._opened: tuple[str, Explainer] | None = None  # with the digest of its run; one value for other threads

    def explain(self, inquiry: Inquiry, upload: Upload, progress: Progress) -> Explained:
        """Explain a photograph.

        Raises:
            NeuronExplainError: if that cannot be done; the message says why.
        """
        explainer = self._of(inquiry.run, progress)
        inquiry.require_sense(self.subject(inquiry.run))
        if inquiry.question:
            explainer = replace(explainer, network=explainer.network.asked(inquiry.question))
        if inquiry.methods:
            explainer = replace(explainer, methods=inquiry.methods)
        photographs = [(upload.name, upload.photograph())]
        progress("explaining", 0, 0)
        result: ExplainedCaption | Explanation | Comparison
        network = explainer.network
        if not network.classes and not isinstance(network.language, Answering):
            of_captions = CaptionExplainer.of(explainer, self._catalogue.store, inquiry.run)
            (result,) = of_captions.explain_all(photographs, caption=inquiry.written)
        elif inquiry.caption:
            raise NetworkError(f"{network.name} chooses its answer, and writes none; leave the caption out")
        else:
            targets = inquiry.classes(network.classes)
            (result,) = explained(explainer, photographs, targets, progress=progress)
        facts = run_facts(inquiry.run, named=len(explainer.names), network=network.name)
        with TemporaryDirectory(prefix="neuronexplain-") as folder:
            path = Path(folder) / "page.html"
            write_page(path, [result], title="Why the network says so", facts=facts)
            page = path.read_bytes()
        is_of_run = is_built_with(inquiry.run, network)
        return Explained(inquiry.run, is_of_run, upload.name, article(result), result.to_dict(), page)

    def see(self, run: Run, unit: int, upload: Upload, progress: Progress) -> Seen:
        """Find where a unit is alive in a photograph.

        Raises:
            NeuronExplainError: if that cannot be done; the message says why.
        """
        network = self._of(run, progress).network
        photograph, preprocessing = upload.photograph(), network.preprocessing
        images = preprocessing.tensor(preprocessing.frame(photograph))[None].to(network.device)
        seen = maps_through(network, [network.layer], images)
        require_finite(seen.finite[0].tolist(), network.layer.name, [upload.name])
        maps = seen.activation.detach()[0, [unit]].cpu().double().numpy()
        strength = concept_map(maps, self._catalogue.store.thresholds(run)[[unit]], preprocessing.size)
        picture = concept_picture(preprocessing.view(photograph), strength)
        return Seen(run, unit, upload.name, float(maps.max()), float((strength > 1).mean()), picture_uri(picture, 800))

    def subject(self, run: Run) -> Subject:
        """What can be asked where a run's names are spoken, as far as it is known before the network is opened."""
        if not self._place.is_named:
            return Subject.of_run(run)
        match self._opened:
            case (run.key.digest, explainer):
                return Subject.of_network(explainer.network)
        return Subject.unknown()

    def _of(self, run: Run, progress: Progress) -> Explainer:
        match self._opened:
            case (run.key.digest, explainer):
                return explainer
        progress("opening the network", 0, 0)
        self._opened = None  # before the next is opened: there is room for one
        explainer = Explainer.from_store(self._open(run), self._catalogue.store, run=run)
        self._opened = run.key.digest, explainer
        return explainer

    def _open(self, run: Run) -> Network:
        """The network whose units a run names, from the place that was named, unless its own lies there."""
        place = self._place
        dictionary = place.dictionary if run.layer.noun == "feature" else None
        if not place.is_named and dictionary is None:
            return open_network_of(run, ema=place.ema, device=place.device)
        named = open_network_of(
            run,
            network=place.network,
            weights=place.weights,
            ema=place.ema,
            dictionary=dictionary,
            device=place.device,
        )
        return named if names_units_of(run, named) else open_network_of(run, device=place.device)
