"""Reduction of a network to distinct, live, sign-folded neurons and a constant part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.setting import Setting
from flowscape.brief import Brief

Floats = NDArray[np.float64]

FREE, CONSTANT, SILENT = -1, -2, -3


@dataclass(frozen=True, repr=False)
class Reduced(Brief):
    """A network as a function: what is left when equal neurons are merged.

    Attributes
    ----------
    outgoing : (m0, O) ndarray
        Non-zero.
    incoming : (m0, D) ndarray
        Centred (see `Setting.split`), distinct, also up to sign if the activation is odd or even,
        with non-zero input weights wherever a zero weight means a constant.
    constant : (O,) ndarray
        The constant part C0; 0 where it is round-off. With `Setting.level` or `Setting.slope` the
        constants that all neurons make are in it: what is left are odd or even functions.
    group : (m,) ndarray of int
        Index of each neuron's group of equal incoming vectors, CONSTANT or SILENT.
    signs : (m,) ndarray of int
        eps_k with eps_k v_k = incoming vector of the group.
    sums : (G, O) ndarray
        Sum of eps_k a_k (of a_k if the activation is even) over every group, dead groups included.
    vectors : (G, D) ndarray
        Incoming vector of every group, dead groups included.
    live : (m0,) ndarray of int
        The groups that are kept.
    notes : tuple of str
        What was merged, dropped or absorbed, in words; empty if nothing was.
    linear : (O, d) ndarray
        With `Setting.slope`: sum a_k w_k, so that slope * linear . x is the linear part; else 0.
    """

    outgoing: Floats
    incoming: Floats
    constant: Floats
    group: NDArray[np.int64]
    signs: NDArray[np.int64]
    sums: Floats
    vectors: Floats
    live: NDArray[np.int64]
    notes: tuple[str, ...]
    linear: Floats

    @property
    def m0(self) -> int:
        """Number of neurons left."""
        return len(self.outgoing)

    def beside(self, setting: Setting) -> tuple[Floats, Floats]:
        """Return the constant (O,) and the linear function (O, d) beside sum abar_t sigma(...).

        They differ from `constant` and `linear`, which stand beside odd or even functions.
        """
        constant = self.constant - setting.level * self.outgoing.sum(axis=0)
        if setting.bias:
            constant = constant - setting.slope * self.outgoing.T @ self.incoming[:, -1]
        made = self.outgoing.T @ self.incoming[:, : setting.inputs]
        return constant, setting.slope * (self.linear - made)

    @property
    def has_constant(self) -> bool:
        """Whether the constant part is not 0."""
        return bool(np.any(self.constant != 0.0))


def reduce_network(
    setting: Setting, theta: Floats, tol: float, rounding: float | None = None
) -> Reduced:
    """Reduce one network.

    Parameters
    ----------
    setting : Setting
        Of a network of this width.
    theta : (P,) ndarray
        Its parameters.
    tol : float
        Incoming vectors nearer than this are equal, input weights shorter than this are 0.
    rounding : float, optional
        Sums of outgoing weights, constants and linear parts are 0 up to this part of the terms
        they are sums of (`_smallest`). The default is an absolute `tol` for all.

    Returns
    -------
    Reduced
    """
    outgoing, incoming, constant = (part[0] for part in setting.split(theta[None]))
    group, signs, notes = _group(setting, incoming, tol)
    total, terms = constant.copy(), float(_norm(constant))
    for k in np.flatnonzero(group == CONSTANT):
        at = incoming[k, -1] + setting.centre if setting.bias else 0.0
        made = outgoing[k] * float(setting.sigma(np.array([at]))[0][0])
        total, terms = total + made, terms + float(_norm(made))
    least, part_tol = _smallest(setting, outgoing, incoming, group, terms, tol, rounding)
    others = np.flatnonzero(group != CONSTANT)
    total += setting.level * outgoing[others].sum(axis=0)
    if setting.bias:
        total += setting.slope * outgoing[others].T @ incoming[others, -1]
    linear = outgoing[others].T @ incoming[others, : setting.inputs]
    if setting.slope == 0.0 or _norm(linear.ravel()) <= part_tol:
        linear = np.zeros_like(linear)
    if _norm(total) <= part_tol:
        total = np.zeros_like(total)
    count = max(int(group.max()) + 1, 0)
    sums = np.zeros((count, setting.outputs))
    vectors = np.zeros((count, setting.incoming))
    for g in range(count):
        members = np.flatnonzero(group == g)
        sums[g] = (setting.pull(signs[members])[:, None] * outgoing[members]).sum(axis=0)
        vectors[g] = (signs[members, None] * incoming[members]).mean(axis=0)
    live = np.flatnonzero(_norm(sums) > least)
    if len(live) < count:
        notes.append(f"{count - len(live)} group(s) with outgoing sum 0 dropped")
    return Reduced(
        sums[live], vectors[live], total, group, signs, sums, vectors, live, tuple(notes), linear
    )


def _norm(vectors: Floats) -> Floats:
    """Return Euclidean norms over the last axis; squares of weights may overflow and underflow."""
    largest = np.abs(vectors).max(axis=-1, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    return np.asarray(largest * np.linalg.norm(vectors / unit[..., None], axis=-1))


def _smallest(
    setting: Setting,
    outgoing: Floats,
    incoming: Floats,
    group: NDArray[np.int64],
    terms: float,
    tol: float,
    rounding: float | None,
) -> tuple[Floats, float]:
    """Return the largest sum of outgoing weights that counts as 0 for each group, and constant.

    The terms are those of the sum itself, so that a neuron with a small weight stays one (it may
    be the larger one elsewhere, as in e^{x + 40} + e^{-x}). Where one equation couples all groups
    they are those of the whole network: its parts are only known up to rounding of the largest.
    """
    count = max(int(group.max()) + 1, 0)
    if rounding is None:
        return np.full(count, tol), tol
    if setting.level or setting.slope:
        largest = max(float(np.abs(outgoing).max()), terms)
        scale = max(1.0, float(np.abs(incoming).max())) if setting.slope else 1.0
        return np.full(count, rounding * largest), rounding * largest * scale
    sizes = _norm(outgoing)
    kept = group >= 0
    total = np.bincount(group[kept], sizes[kept], minlength=count).astype(np.float64, copy=False)
    return rounding * total, rounding * terms


def _group(
    setting: Setting, incoming: Floats, tol: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return group index and sign per neuron, and what happened."""
    group = np.full(len(incoming), FREE, dtype=np.int64)
    signs = np.ones(len(incoming), dtype=np.int64)
    notes: list[str] = []
    zero = np.linalg.norm(incoming[:, : setting.inputs], axis=1) <= tol
    if setting.bias:
        group[zero] = CONSTANT
    elif setting.silent:
        group[zero] = SILENT
    else:
        group[zero] = CONSTANT
    for mark, text in ((CONSTANT, "absorbed into the constant part"), (SILENT, "silent, dropped")):
        if number := int((group == mark).sum()):
            notes.append(f"{number} neuron(s) with zero input weight {text}")
    count = 0
    for k in np.flatnonzero(group == FREE):
        if group[k] != FREE:
            continue
        group[k] = count
        stack = [int(k)]
        while stack:
            at = stack.pop()
            for j in np.flatnonzero(group == FREE):
                sign = _equal_up_to_sign(setting, incoming[at], incoming[j], tol)
                if sign:
                    group[j], signs[j] = count, sign * signs[at]
                    stack.append(int(j))
        members = int((group == count).sum())
        if members > 1:
            notes.append(f"{members} neurons with equal incoming vectors merged")
        count += 1
    return group, signs, notes


def _equal_up_to_sign(setting: Setting, one: Floats, other: Floats, tol: float) -> int:
    if np.linalg.norm(one - other) <= tol:
        return 1
    if setting.signed and np.linalg.norm(one + other) <= tol:
        return -1
    return 0
