"""A memory of bounded size: what was not asked for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Limited(Generic[Key, Value]):
    """Values by key, up to a total weight; for several threads.

    Args:
        limit: the greatest total weight; a value that weighs more is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """A value, or ``None`` if it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def keep(self, key: Key, value: Value, weight: int = 1) -> list[Value]:
        """Keep a value; return those that go for it."""
        with self._lock:
            gone = [self._pop(key)] if key in self._values else []
            if weight > self._limit:
                return gone
            self._values[key] = (value, weight)
            self._weight += weight
            while self._weight > self._limit:
                gone.append(self._pop(next(iter(self._values))))
            return gone

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._weight = 0

    def _pop(self, key: Key) -> Value:
        value, weight = self._values.pop(key)
        self._weight -= weight
        return value
