"""Checks of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.errors.exceptions import ProblemError, ShapeError
from flowscape.errors.messages import complaint

__all__ = ["finite_array", "float_array"]

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
        raise ShapeError(complaint(name, value, rule, remedy)) from None
    if array.dtype.kind not in "iuf":
        rule = f"must hold real numbers, not {array.dtype}"
        raise ProblemError(complaint(name, value, rule, remedy))
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
        raise ProblemError(complaint(where, float(array[index]), rule, advice))
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
