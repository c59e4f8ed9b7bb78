"""Errors of Flowscape and the checks that raise them.

Every message has one form: ``name=value rule; remedy``. Misuse raises a `ValueError`
(`ShapeError`, `OptionError`, `ProblemError`); a run that fails is never an exception but a
row with a status.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FlowscapeError",
    "InternalError",
    "OptionError",
    "ProblemError",
    "ShapeError",
    "StabilityWarning",
    "StoreError",
    "check_choice",
    "check_count",
    "check_flag",
    "check_keys",
    "check_positive",
    "check_real",
    "describe",
    "finite_array",
    "float_array",
    "nearest",
]


class FlowscapeError(Exception):
    """Base of everything that Flowscape raises on purpose."""


class ShapeError(FlowscapeError, ValueError):
    """An array has a wrong shape."""


class OptionError(FlowscapeError, ValueError):
    """An option has a wrong value."""


class ProblemError(FlowscapeError, ValueError):
    """A problem (network, data, loss, study) contradicts itself or holds bad numbers."""


class StabilityWarning(RuntimeWarning):
    """Discrete steps diverged, or are longer than the end point allows."""


class StoreError(FlowscapeError, RuntimeError):
    """A result folder cannot be read, written or overwritten."""


class InternalError(FlowscapeError, RuntimeError):
    """A bug of Flowscape.

    Parameters
    ----------
    message : str
        What was found; the request to report it is added.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}; this is a bug of Flowscape, please report it")


def describe(value: object) -> str:
    """Return a value as it stands in a message: short, arrays by shape."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"<{value.dtype} array of shape {value.shape}>"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: object, allowed: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the closest allowed word, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


def _complaint(name: str, value: object, rule: str, remedy: str) -> str:
    return f"{name}={describe(value)} {rule}" + (f"; {remedy}" if remedy else "")


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
        raise error(_complaint(name, value, rule, remedy))
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise error(_complaint(name, value, rule, remedy)) from None
    if count < minimum or (maximum is not None and count > maximum):
        raise error(_complaint(name, value, rule, remedy))
    return count


def check_flag(
    name: str, value: object, remedy: str = "", *, error: type[ValueError] = OptionError
) -> bool:
    """Return `value` as a bool if it is True or False (not 0, 1 or a string)."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise error(_complaint(name, value, "must be true or false", remedy))


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
        raise error(_complaint(name, value, rule, remedy))
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
        raise error(_complaint(name, value, rule, remedy))
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
    raise error(_complaint(name, value, rule, ""))


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


Shape = tuple[int | str, ...]


def float_array(name: str, value: object, *shapes: Shape, remedy: str = "") -> NDArray[np.float64]:
    """Return real numbers as a C-contiguous float64 array; copy only if needed.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : array_like
        Integers or floats, NaN and infinity included. Boolean, complex, string and object
        arrays are refused.
    *shapes : tuple of int or str
        Allowed shapes; a string is a free size, and the same string means the same size:
        ``("B", 3)``. None given: any shape.
    remedy : str
        What to do instead, for the message.

    Raises
    ------
    ShapeError
        If no shape fits, or `value` is ragged.
    ProblemError
        If the elements are not real numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        rule = "must be an array of numbers, all rows of one length"
        raise ShapeError(_complaint(name, value, rule, remedy)) from None
    if array.dtype.kind not in "iuf":
        rule = f"must hold real numbers, not {array.dtype}"
        raise ProblemError(_complaint(name, value, rule, remedy))
    if shapes and not any(_fits(array.shape, shape) for shape in shapes):
        listing = " or ".join(_shape_text(shape) for shape in shapes)
        raise ShapeError(
            f"{name} has shape {array.shape} and must have shape {listing}"
            + (f"; {remedy}" if remedy else "")
        )
    with np.errstate(over="ignore"):  # an extended float may overflow to infinity
        return array.astype(np.float64, order="C", copy=False)


def finite_array(name: str, value: object, *shapes: Shape, remedy: str = "") -> NDArray[np.float64]:
    """Return `float_array` if all elements are finite; else name the first that is not.

    Raises
    ------
    ShapeError
        As in `float_array`.
    ProblemError
        As in `float_array`, or if an element is NaN or infinite.
    """
    array = float_array(name, value, *shapes, remedy=remedy)
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f"{name}[{', '.join(map(str, index))}]" if index else name
        rule = "must be finite"
        advice = remedy or "remove or repair it"
        raise ProblemError(_complaint(where, float(array[index]), rule, advice))
    return array


def _fits(actual: tuple[int, ...], shape: Shape) -> bool:
    if len(actual) != len(shape):
        return False
    free: dict[str, int] = {}
    for size, wanted in zip(actual, shape, strict=True):
        expected = free.setdefault(wanted, size) if isinstance(wanted, str) else wanted
        if size != expected:
            return False
    return True


def _shape_text(shape: Shape) -> str:
    inner = ", ".join(str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
