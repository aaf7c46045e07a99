"""A whole run: every part of it must be possible, by the definitions and by all other parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.errors import StoreError

from .compositions import require_possible_compositions
from .facts import require_possible_concepts, require_possible_facts
from .importances import require_possible_importances
from .pictures import require_possible_picture
from .rates import require_possible_rates
from .units import require_possible_unit, require_same_images, require_same_places

if TYPE_CHECKING:
    from db.records import WholeRun


def require_possible(whole: WholeRun) -> None:
    """Check that a run says nothing that no dissection can find.

    Raises:
        StoreError: naming the first impossible value.
    """
    try:
        _require_possible(whole)
    except StoreError as error:
        raise StoreError(f"{error}: it was changed or damaged, export it again where it was made") from error


def _require_possible(whole: WholeRun) -> None:
    require_possible_facts(whole)
    require_possible_concepts(whole.dissection, whole.origin, is_built=not whole.run.key.imported)
    for unit in whole.dissection.units:
        require_possible_unit(unit, whole)
    require_same_images(whole.dissection.units, whole.origin)
    require_same_places(whole.dissection, whole.origin)
    require_possible_compositions(whole)
    require_possible_rates(whole.dissection.units, whole.origin)
    require_possible_importances(whole)
    for image, jpeg in whole.pictures.items():
        require_possible_picture(jpeg, f"{whole.origin}, picture of image {image}")
