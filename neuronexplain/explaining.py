"""The second job: says why a network predicts what it predicts, with the stored names of its units."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from .arguments import as_many, class_of, is_single, named_picture, named_pictures
from .explainer import Explainer
from .progress import counted, watched
from .vocabulary import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.arguments import StoreLike
    from db.records import RunLike

    from .arguments import ClassLike, ImageLike, ImagesLike, NetworkLike
    from .explanation import Explanation
    from .progress import ProgressChoice
    from .vocabulary import Rules


@overload
def explain(  # type: ignore[overload-overlap]  # text is a path, and no sequence of letters
    image: ImageLike,
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | None = None,
    methods: str | Iterable[str] = (),
    run: RunLike | None = None,
    rules: Rules = DEFAULT_RULES,
    progress: ProgressChoice = None,
) -> Explanation: ...


@overload
def explain(
    image: Iterable[ImageLike],
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | None = None,
    methods: str | Iterable[str] = (),
    run: RunLike | None = None,
    rules: Rules = DEFAULT_RULES,
    progress: ProgressChoice = None,
) -> list[Explanation]: ...


def explain(
    image: ImagesLike,
    network: NetworkLike,
    store: StoreLike,
    *,
    target: ClassLike | None = None,
    methods: str | Iterable[str] = (),
    run: RunLike | None = None,
    rules: Rules = DEFAULT_RULES,
    progress: ProgressChoice = None,
) -> Explanation | list[Explanation]:
    """Say why the network predicts what it predicts for one photograph, or for each of several.

    :meth:`Explainer.from_store` explains more than fit into memory, and opens network and store only once.

    Args:
        image: a photograph: a path; a picture of Pillow; an array ``(h, w, 3)`` or a tensor ``(3, h, w)`` of red, green
            and blue, as bytes (uint8) or as floats from 0 to 1, which are rounded to 1/255. Or a list of these.
        network: the network, whose units the store names; or a module, or a name that :func:`open_network` takes, which
            is read at the layer, with the preprocessing and the classes of its run.
        store: the store that holds the names, or the path or URL of its database, which is only read.
        target: the class to explain, by label, synonym or index; by default the predicted one.
        methods: names of other methods to explain the same target with, see :data:`METHODS`.
        run: the run, or its number; by default the network's newest.
        rules: which units are ranked, and what may be said of them.
        progress: whether to show progress; by default where a person watches, see :mod:`neuronexplain.progress`.

    Returns:
        The explanation; of several photographs a list, in their order.

    Raises:
        RunNotFoundError: if the store has no names for a network with these weights.
        PhotographError: if a file is not a photograph.
        ClassNotFoundError: if the network has no such class.
        TypeError: if an argument is of no kind that can be taken.
    """
    images = list(as_many(image))
    pictures = iter([named_picture(image)]) if is_single(image) else named_pictures(images)
    explainer = Explainer.from_store(network, store, run=run, rules=rules, methods=methods)
    index = None if target is None else class_of(target, explainer.network.classes)
    with watched(progress) as report:
        explained = explainer.explain(pictures, target=index, progress=report)
        if report and len(images) > 1:
            explained = counted(explained, lambda done: report("explaining", done, len(images)))
        explanations = list(explained)
    return explanations[0] if is_single(image) else explanations
