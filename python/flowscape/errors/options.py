"""Checks of single options and of tables of them."""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from flowscape.errors.exceptions import OptionError, ProblemError
from flowscape.errors.messages import complaint, describe, nearest

__all__ = [
    "check_choice",
    "check_count",
    "check_flag",
    "check_instance",
    "check_keys",
    "check_path",
    "check_positive",
    "check_real",
]

_Kind = TypeVar("_Kind")


def check_count(
    name: str,
    value: object,
    remedy: str = "",
    *,
    minimum: int = 1,
    maximum: int | None = None,
    error: type[ValueError] = OptionError,
) -> int:
    """Return `value` as an int if it is an integer in [`minimum`, `maximum`].

    Parameters
    ----------
    name : str
        Name of the argument, as the caller knows it.
    value : object
        Any Python or NumPy integer; booleans and floats are refused.
    remedy : str
        What to do instead, for the message.
    minimum, maximum : int
        Bounds, inclusive; `maximum` None means unbounded.
    error : type
        What to raise.

    Raises
    ------
    OptionError
        Or `error`, if the rule is broken.
    """
    rule = f"must be an integer >= {minimum}"
    if maximum is not None:
        rule += f" and <= {maximum}"
    if isinstance(value, bool | np.bool_ | np.ndarray):
        raise error(complaint(name, value, rule, remedy))
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise error(complaint(name, value, rule, remedy)) from None
    if count < minimum or (maximum is not None and count > maximum):
        raise error(complaint(name, value, rule, remedy))
    return count


def check_flag(
    name: str, value: object, remedy: str = "", *, error: type[ValueError] = OptionError
) -> bool:
    """Return `value` as a bool if it is True or False (not 0, 1 or a string)."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise error(complaint(name, value, "must be true or false", remedy))


def check_instance(
    name: str,
    value: object,
    kind: type[_Kind],
    remedy: str = "",
    *,
    error: type[ValueError] = OptionError,
) -> _Kind:
    """Return `value` if it is an object of this class; else name the class."""
    if isinstance(value, kind):
        return value
    raise error(complaint(name, value, f"must be a {kind.__name__}", remedy))


def check_path(name: str, value: object, remedy: str = "") -> Path:
    """Return `value` as a Path if it is a string or a path."""
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise OptionError(complaint(name, value, "must be a string or a path", remedy))


def check_real(
    name: str,
    value: object,
    remedy: str = "",
    *,
    rule: str = "must be a finite real number",
    error: type[ValueError] = OptionError,
) -> float:
    """Return `value` as a float if it is a finite real number (not a bool or a string)."""
    number = _real(value)
    if number is None or not math.isfinite(number):
        raise error(complaint(name, value, rule, remedy))
    return number


def check_positive(
    name: str,
    value: object,
    remedy: str = "",
    *,
    zero: bool = False,
    infinite: bool = False,
    error: type[ValueError] = OptionError,
) -> float:
    """Return `value` as a float if it is > 0.

    Parameters
    ----------
    name, value, remedy, error
        As in `check_count`.
    zero : bool
        Allow 0 as well.
    infinite : bool
        Allow infinity as well.

    Raises
    ------
    OptionError
        Or `error`, if the rule is broken; NaN never passes.
    """
    rule = f"must be a {'' if infinite else 'finite '}number {'>=' if zero else '>'} 0"
    number = _real(value)
    valid = (
        number is not None
        and (number >= 0 if zero else number > 0)
        and (infinite or math.isfinite(number))
    )
    if number is None or not valid:
        raise error(complaint(name, value, rule, remedy))
    return number


def _real(value: object) -> float | None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_choice(
    name: str,
    value: object,
    allowed: Iterable[str],
    *,
    error: type[ValueError] = OptionError,
) -> str:
    """Return `value` if it is one of the allowed strings; else name them and the closest."""
    allowed = tuple(allowed)
    if isinstance(value, str) and value in allowed:
        return str(value)
    rule = f"must be one of {', '.join(allowed)}{nearest(value, allowed)}"
    raise error(complaint(name, value, rule, ""))


def check_keys(
    where: str,
    table: object,
    allowed: Iterable[str],
    required: Iterable[str] = (),
    *,
    error: type[ValueError] = ProblemError,
) -> dict[str, Any]:
    """Return a table as a dict if it has all required and no unknown keys.

    Parameters
    ----------
    where : str
        Where the table stands, e.g. ``"study.toml, [network]"``.
    table : mapping
        What was read.
    allowed, required : iterable of str
        Key names; the required ones are allowed too.

    Raises
    ------
    ProblemError
        Or `error`, naming the key, the allowed keys and the closest one.
    """
    required = tuple(required)
    names = tuple(dict.fromkeys((*required, *allowed)))
    listing = ", ".join(names)
    if not isinstance(table, Mapping):
        raise error(f"{where}: {describe(table)} must be a table with the keys {listing}")
    for key in table:
        if key not in names:
            raise error(
                f"{where}: unknown key {describe(key)}{nearest(key, names)}; "
                f"the allowed keys are {listing}"
            )
    for key in required:
        if key not in table:
            raise error(f"{where}: the key {key!r} is missing; the allowed keys are {listing}")
    return dict(table)
