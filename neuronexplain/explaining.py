"""The second job: says why a network predicts what it predicts, with the stored names of its units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from .arguments import as_many, is_single, named_picture, named_pictures
from .class_arguments import classes_of, true_classes_of
from .explainer import Explainer
from .progress import counted, watched
from .vocabulary import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from db.arguments import StoreLike
    from db.records import RunLike
    from dissection.execution.settings import Progress

    from .arguments import ImageLike, ImagesLike, NamedImage, NetworkLike
    from .class_arguments import ClassLike, ClassPair, TrueClassLike
    from .explanation import Comparison, Explanation
    from .progress import ProgressChoice
    from .vocabulary import Rules


class _Options(TypedDict, total=False):
    """What may be said besides image, network, store and target."""

    true_class: TrueClassLike | None
    methods: str | Iterable[str]
    run: RunLike | None
    rules: Rules
    progress: ProgressChoice


@overload
def explain(  # type: ignore[overload-overlap]  # text is a path, and no sequence of letters
    image: ImageLike,
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | None = None,
    **options: Unpack[_Options],
) -> Explanation: ...


@overload
def explain(  # type: ignore[overload-overlap]
    image: ImageLike, network: NetworkLike, store: StoreLike, *, target: ClassPair, **options: Unpack[_Options]
) -> Comparison: ...


@overload
def explain(
    image: Iterable[ImageLike],
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | None = None,
    **options: Unpack[_Options],
) -> list[Explanation]: ...


@overload
def explain(
    image: Iterable[ImageLike],
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassPair,
    **options: Unpack[_Options],
) -> list[Comparison]: ...


def explain(  # noqa: PLR0913 -- what people may say of it
    image: ImagesLike,
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | ClassPair | None = None,
    true_class: TrueClassLike | None = None,
    methods: str | Iterable[str] = (),
    run: RunLike | None = None,
    rules: Rules = DEFAULT_RULES,
    progress: ProgressChoice = None,
) -> Explanation | Comparison | list[Explanation] | list[Comparison]:
    """Say why the network predicts what it predicts for one photograph, or for each of several.

    :meth:`Explainer.from_store` explains more than fit into memory, and opens network and store only once.

    Args:
        image: a photograph: a path; a picture of Pillow; an array ``(h, w, 3)`` or a tensor ``(3, h, w)`` of red, green
            and blue, as bytes (uint8) or as floats from 0 to 1, which are rounded to 1/255. Or a list of these.
        network: the network, whose units the store names; or a module, or a name that :func:`open_network` takes, which
            is read at the layer, with the preprocessing and the classes of its run.
        store: the store that holds the names, or the path or URL of its database, which is only read.
        target: the class to explain, by label, synonym or index; by default the predicted one. Two are compared.
        true_class: the class that the photographs show, to be marked; or a list that says it of each.
        methods: names of other methods to explain the same target with, see :data:`METHODS`.
        run: the run, or its number; by default the network's newest.
        rules: which units are ranked, and what may be said of them.
        progress: whether to show progress; by default where a person watches, see :mod:`neuronexplain.progress`.

    Returns:
        The explanation, or the comparison of two targets; of several photographs a list, in their order.

    Raises:
        RunNotFoundError: if the store has no names for a network with these weights.
        PhotographError: if a file is not a photograph.
        ClassNotFoundError: if the network has no such class, or a class is to be compared with itself.
        TypeError: if an argument is of no kind that can be taken.
    """
    images = list(as_many(image))
    pictures = iter([named_picture(image)]) if is_single(image) else named_pictures(images)
    explainer = Explainer.from_store(network, store, run=run, rules=rules, methods=methods)
    labels = explainer.network.classes
    targets = classes_of(target, labels)
    truths = iter(true_classes_of(true_class, labels, len(images)))
    with watched(progress) as report:
        results = explained(explainer, pictures, targets, true_class=lambda _: next(truths), progress=report)
        if report and len(images) > 1:
            results = counted(results, lambda done: report("explaining", done, len(images)))
        answers: list[Any] = list(results)  # of one kind, which the target says
    return answers[0] if is_single(image) else answers


def explained(
    explainer: Explainer,
    photographs: Iterable[NamedImage],
    targets: Sequence[ClassLike],
    *,
    true_class: Callable[[str], int | None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Explanation | Comparison]:
    """Explain photographs for the class that is predicted (no target) or for one class, or compare two.

    Arguments and errors are those of :meth:`Explainer.explain` and :meth:`Explainer.compare`.
    """
    if len(targets) < 2:
        target = targets[0] if targets else None
        yield from explainer.explain(photographs, target=target, true_class=true_class, progress=progress)
    else:
        first, second = targets
        yield from explainer.compare(photographs, (first, second), true_class=true_class, progress=progress)
