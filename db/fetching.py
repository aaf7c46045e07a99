"""Rows in the types of their columns, whatever a damaged or forged database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Join

from .errors import DamagedRowsError, made_of_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

_NONE: Final = type(None)


@made_of_rows()
def fetched(connection: Connection, query: Select[*tuple[Any, ...]], **parameters: object) -> list[Row[Any]]:
    """All rows of a query; every value has its column's type, and is there unless the column or a join leaves it out.

    Raises:
        DamagedRowsError: if a value has another: SQLite's tables are strict, but a file can be written by anything.
    """
    rows = list(connection.execute(query, parameters).all())
    has_gaps = any(isinstance(source, Join) and source.isouter for source in query.get_final_froms())
    for column, values in zip(query.selected_columns, zip(*rows, strict=True), strict=False):
        kind = column.type.python_type
        others = set(map(type, values)) - {kind}
        if others - ({_NONE} if has_gaps or getattr(column, "nullable", False) else set()):
            names = ", ".join(sorted(other.__name__ for other in others))
            raise DamagedRowsError(
                f"column {column.name!r} holds a value of the wrong type, {names} in place of {kind.__name__}"
            )
    return rows
