"""TOML for plain dicts: a writer (the standard library only reads) and a reader with places.

Written are str, bool, int, float, lists, and dicts with string keys; NumPy scalars and arrays as
what they hold. Every float reads back to the same bits, NaN payloads excepted.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowscape.errors import ProblemError, describe

__all__ = ["dumps", "loads", "read_toml"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
_INT64 = range(-(2**63), 2**63)


def dumps(table: Mapping[str, Any]) -> str:
    """Return a dict as TOML text; ``loads(dumps(t)) == t``.

    Parameters
    ----------
    table : mapping
        Keys in the order in which they are written; sub-tables come after plain values.

    Raises
    ------
    ProblemError
        If a value has no place in TOML (None, dates, integers beyond 64 bits ...).
    """
    lines: list[str] = []
    _write_table(lines, (), table)
    return "\n".join(lines).lstrip("\n") + "\n" if lines else ""


def loads(text: str, where: str = "TOML text") -> dict[str, Any]:
    """Return the dict that a TOML text holds.

    Raises
    ------
    ProblemError
        If the text is not TOML; the message holds `where`, line and column.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProblemError(f"{where} is not valid TOML: {error}; mend that line") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the dict that a TOML file holds.

    Raises
    ------
    ProblemError
        If the file cannot be read or is not TOML; the message holds file, line and column.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors on Windows write a mark
            text = file.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProblemError(f"{path} cannot be read: {reason}; give a TOML file") from None
    except UnicodeDecodeError as error:
        raise ProblemError(
            f"{path} is not valid TOML: byte {error.start} is not UTF-8; save it as UTF-8"
        ) from None
    return loads(text, str(path))


def _write_table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any]) -> None:
    nested: list[tuple[tuple[str, ...], Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or _is_table_list(value):
            nested.append(((*path, key), value))
        else:
            lines.append(f"{_key(key, path)} = {_value(value, (*path, key))}")
    for inner, value in nested:
        header = ".".join(_key(part, path) for part in inner)
        if isinstance(value, Mapping):
            lines.extend(("", f"[{header}]"))
            _write_table(lines, inner, value)
            continue
        for item in value:
            lines.extend(("", f"[[{header}]]"))
            _write_table(lines, inner, item)


def _is_table_list(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(item, Mapping) for item in value)
    )


def _value(value: object, path: tuple[str, ...]) -> str:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value, path)
    if isinstance(value, int):
        if value not in _INT64:
            raise ProblemError(f"{_place(path)}={value} must fit in 64 bits; write it as a string")
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item, path) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(key, path)} = {_value(item, (*path, key))}" for key, item in value.items())
        inner = ", ".join(pairs)
        return f"{{ {inner} }}" if inner else "{}"
    remedy = "leave the key out" if value is None else "convert it to a string or a number"
    raise ProblemError(f"{_place(path)}={describe(value)} has no form in TOML; {remedy}")


def _float(value: float) -> str:
    if math.isfinite(value):
        return float.__repr__(value)
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _string(text: str, path: tuple[str, ...]) -> str:
    parts = ['"']
    for character in text:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            raise ProblemError(f"{_place(path)}={describe(text)} must be valid Unicode text")
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\u{code:04X}")
        else:
            parts.append(character)
    return "".join((*parts, '"'))


def _key(key: object, path: tuple[str, ...]) -> str:
    if not isinstance(key, str):
        raise ProblemError(f"the key {describe(key)} in {_place(path)} must be a string")
    return key if _BARE_KEY.fullmatch(key) else _string(key, path)


def _place(path: tuple[str, ...]) -> str:
    return ".".join(map(str, path)) if path else "the top table"
