"""The linear equations of a branch, in the coordinates of theta."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.constant_group import ConstantGroup
from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import Reduced
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import LEVEL, ZEROS

Floats = NDArray[np.float64]


def linear_equations(
    setting: Setting,
    target: Reduced,
    blocks: Blocks,
    signs: tuple[int, ...],
    constant: ConstantGroup,
    slack: Sequence[Mapping[int, float]],
    others: Iterable[tuple[Mapping[int, float], float]] = (),
) -> tuple[Floats, Floats]:
    """Return (matrix, right side) with independent rows; arguments as in `Branch`.

    The nonlinear equations of a curved constant group are left out. `slack` is, for every output,
    what takes up a constant, as a linear function of theta: the output bias, if there is nothing
    else. `others` are further equations.
    """
    rows = _Rows(setting.n_params)
    pull = setting.pull(signs)
    for label, block in enumerate(blocks[1:]):
        if label < target.m0:
            weight, vector = target.outgoing[label], target.incoming[label]
            _labelled_rows(rows, setting, block, signs, vector)
        else:
            weight = np.zeros(setting.outputs)
            _free_rows(rows, setting, block, signs)
        for o in range(setting.outputs):
            rows.add({setting.a_index(k, o): float(pull[k]) for k in block}, weight[o])
    _constant_rows(rows, setting, blocks[0], constant, slack)
    for terms, right in others:
        rows.add(terms, right)
    return rows.arrays()


class _Rows:
    """Collects sparse linear equations in theta."""

    def __init__(self, n_params: int) -> None:
        self._n = n_params
        self._rows: list[Floats] = []
        self._right: list[float] = []

    def add(self, terms: Mapping[int, float], right: float) -> None:
        row = np.zeros(self._n)
        for place, value in terms.items():
            row[place] = value
        self._rows.append(row)
        self._right.append(float(right))

    def arrays(self) -> tuple[Floats, Floats]:
        return np.array(self._rows).reshape(-1, self._n), np.array(self._right)


def _shift(setting: Setting) -> Floats:
    """Return the centre of symmetry as an incoming vector: (0, ..., 0, centre)."""
    shift = np.zeros(setting.incoming)
    if setting.bias:
        shift[-1] = setting.centre
    return shift


def _labelled_rows(
    rows: _Rows,
    setting: Setting,
    block: tuple[int, ...],
    signs: tuple[int, ...],
    vector: Floats,
) -> None:
    shift = _shift(setting)
    for k in block:
        for j in range(setting.incoming):
            rows.add({setting.v_index(k, j): 1.0}, signs[k] * vector[j] + shift[j])


def _free_rows(
    rows: _Rows, setting: Setting, block: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    shift, first = _shift(setting), block[0]
    for k in block[1:]:
        for j in range(setting.incoming):
            terms = {setting.v_index(first, j): signs[first], setting.v_index(k, j): -signs[k]}
            rows.add(terms, (signs[first] - signs[k]) * shift[j])


def _constant_rows(
    rows: _Rows,
    setting: Setting,
    members: tuple[int, ...],
    constant: ConstantGroup,
    slack: Sequence[Mapping[int, float]],
) -> None:
    for place, k in enumerate(members):
        for j in range(setting.inputs):
            rows.add({setting.v_index(k, j): 1.0}, 0.0)
        if constant.kind == ZEROS:
            rows.add({setting.v_index(k, setting.inputs): 1.0}, constant.variant[place])
    if not constant.is_affine or constant.kind == ZEROS:
        return
    for o in range(setting.outputs):
        terms = dict(slack[o])
        if constant.kind == LEVEL:
            terms |= {setting.a_index(k, o): setting.at_zero for k in members}
        if terms:
            rows.add(terms, constant.target[o])
