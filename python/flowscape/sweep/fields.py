"""Read the tables of a study file: every value checked, every error names file, table and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import (
    OptionError,
    check_choice,
    check_count,
    check_flag,
    check_keys,
    check_positive,
    check_real,
    describe,
    finite_array,
)

REQUIRED: Any = object()


class Table:
    """One table of a TOML file, read key by key.

    A reader method returns its default, unchecked, where the key is absent. `finish` rejects
    the keys that no method asked for.

    Parameters
    ----------
    content : Mapping
        The table, as `tomllib` returns it.
    source : str
        Name of the file, for messages.
    name : str
        Name of the table, for messages; empty for the top level.

    Raises
    ------
    OptionError
        From every method, naming file, table, key, value, rule and remedy.
    """

    def __init__(self, content: object, source: str, name: str = "") -> None:
        self.source = source
        self.name = name
        self._place = f"{source}: [{name}]" if name else f"{source}:"
        if not isinstance(content, Mapping):
            raise OptionError(
                f"{source}: {name}={describe(content)} must be a table; write it as [{name}]"
            )
        self._content = content
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def place(self, key: str) -> str:
        """Return `<file>: [<table>] <key>`, the name of the value in a message."""
        return f"{self._place} {key}"

    def error(self, key: str, rule: str) -> OptionError:
        """Return the error that `key` breaks `rule`; the caller raises it."""
        value = f"={describe(self._content[key])}" if key in self._content else ""
        return OptionError(f"{self.place(key)}{value} {rule}")

    def raw(self, key: str, default: Any = REQUIRED, *, remedy: str = "add it") -> Any:
        """Return the value as TOML gives it, or `default`."""
        self._known.append(key)
        if key in self._content:
            return self._content[key]
        if default is REQUIRED:
            raise self.error(key, f"is missing; {remedy}")
        return default

    def table(self, key: str, *, required: bool = False) -> Table:
        """Return the table [key], empty where it is absent and not required."""
        content = self.raw(key, REQUIRED if required else {}, remedy=f"add a table [{key}]")
        return Table(content, self.source, key)

    def tables(self, key: str) -> list[Table]:
        """Return an array of tables, which may not be empty."""
        content = self.raw(key, remedy=f"add at least one table [[{self.name}.{key}]]")
        if not isinstance(content, list) or not content:
            raise self.error(key, f"must be an array of tables; write [[{self.name}.{key}]]")
        return [
            Table(item, self.source, f"{self.name}.{key} {position}")
            for position, item in enumerate(content, start=1)
        ]

    def text(self, key: str, default: Any = REQUIRED, *, choices: Sequence[str] = ()) -> Any:
        """Return a string, one of `choices` where these are given."""
        value = self.raw(key, default)
        if key not in self:
            return value
        if choices:
            return check_choice(self.place(key), value, choices)
        if not isinstance(value, str):
            raise self.error(key, "must be a text; write it in quotes")
        return value

    def flag(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a boolean."""
        value = self.raw(key, default)
        return check_flag(self.place(key), value) if key in self else value

    def count(
        self, key: str, default: Any = REQUIRED, *, minimum: int = 1, maximum: int | None = None
    ) -> Any:
        """Return an integer in [`minimum`, `maximum`]."""
        value = self.raw(key, default)
        if key not in self:
            return value
        return check_count(self.place(key), value, minimum=minimum, maximum=maximum)

    def counts(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a tuple of different integers >= 1; one integer stands for a list of one."""
        value = self.raw(key, default)
        if key not in self:
            return value
        counts = tuple(check_count(place, item) for place, item in self._items(key, value))
        if len(set(counts)) != len(counts):
            raise self.error(key, "must not hold a value twice")
        return counts

    def real(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a finite float."""
        value = self.raw(key, default)
        return check_real(self.place(key), value) if key in self else value

    def positive(
        self, key: str, default: Any = REQUIRED, *, zero: bool = False, infinite: bool = False
    ) -> Any:
        """Return a float > 0; `zero` and `infinite` allow these too."""
        value = self.raw(key, default)
        if key not in self:
            return value
        return check_positive(self.place(key), value, zero=zero, infinite=infinite)

    def positives(self, key: str) -> tuple[float, ...]:
        """Return a tuple of different finite floats > 0; one number stands for a list of one."""
        value = self.raw(key)
        numbers = tuple(check_positive(place, item) for place, item in self._items(key, value))
        if len(set(numbers)) != len(numbers):
            raise self.error(key, "must not hold a value twice")
        return numbers

    def array(self, key: str) -> NDArray[np.float64] | None:
        """Return an array of finite floats, or None where the key is absent."""
        value = self.raw(key, None)
        return finite_array(self.place(key), value) if key in self else None

    def names(self, key: str) -> tuple[str, ...]:
        """Return a tuple of strings, empty where the key is absent; one string counts as a list."""
        value = self.raw(key, [])
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.error(key, 'must be a list of texts, for example ["x"]')
        return tuple(names)

    def finish(self) -> None:
        """Reject every key that was not asked for, naming the nearest one that exists."""
        check_keys(self._place.removesuffix(":"), self._content, self._known, error=OptionError)

    def _items(self, key: str, value: object) -> list[tuple[str, object]]:
        items = value if isinstance(value, list) else [value]
        if not items:
            raise self.error(key, "is empty; give at least one number")
        return [(f"{self.place(key)}[{i}]", item) for i, item in enumerate(items)]
