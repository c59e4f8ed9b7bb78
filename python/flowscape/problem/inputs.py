"""The one place that says what an array of inputs is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.errors import ProblemError, finite_array

__all__ = ["as_inputs"]


def as_inputs(name: str, x: ArrayLike, inputs: int | str = "d") -> NDArray[np.float64]:
    """Return inputs as a finite array (N, d); (N,) is taken as (N, 1).

    Parameters
    ----------
    name : str
        Name of the argument.
    x : (N, d) or (N,) array_like
        Inputs, N >= 1.
    inputs : int or str
        Required d; a string leaves it free.

    Raises
    ------
    ShapeError, ProblemError
        If the shape is wrong or an input is not finite; if there is no sample.
    """
    shapes: list[tuple[int | str, ...]] = [("N", inputs)]
    if inputs == 1 or isinstance(inputs, str):
        shapes.append(("N",))
    array = finite_array(name, x, *shapes)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ProblemError(
            f"{name} has shape {array.shape} and must hold at least one sample of at least "
            "one input; give n >= 1 samples"
        )
    return array
