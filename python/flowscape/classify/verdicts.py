"""The verdict on a batch of limits, from evidence that was computed for all of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flowscape.classify.dense_grid import dense_problem
from flowscape.classify.perfect import judge_zeros
from flowscape.classify.structure import known_zeros, on_kink, share_incoming
from flowscape.classify.zeros import examine_zeros
from flowscape.errors import OptionError, ShapeError, describe
from flowscape.flow import VANISHING, Flow, Law, Tails
from flowscape.objective import Problem
from flowscape.polish import Polished
from flowscape.runs import check_problem
from flowscape.status import Kind, Status

__all__ = ["Verdicts", "classify"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_Result = TypeVar("_Result", Polished, Flow)

# The polished point is the flow's limit only if it is at most this far away, relative to
# 1 + |theta|.
_SAME_POINT = 1e-2
# A flow that grew beyond this, in units of the data, has no finite limit.
_INFINITE = 1e6
# A positive loss is at least this many times the loss of rounding errors.
_POSITIVE = 1e6
# A loss between zero and this many times the loss of rounding errors is a zero not yet reached.
_NEARLY_ZERO = 1e22
# All parameters within this: the origin, whose Hessian is known in closed form.
_ORIGIN = 1e-100


@dataclass(frozen=True)
class Verdicts:
    """What each limit is; arrays over points, scalars for a single one.

    Attributes
    ----------
    kind : (B,) ndarray of int8
        Codes of `Kind`.
    branch : (B,) ndarray of int
        For PERFECT: index into ``branches(prob.net, prob.teacher).orbits()``; -1 elsewhere and
        where branches meet and nothing decides.
    index : (B,) ndarray of int
        Number of negative eigenvalues; -1 where the Hessian is not finite.
    strict : (B,) ndarray of bool
        No eigenvalue is zero.
    certified : (B,) ndarray of bool
        The inertia is clear of its rounding error and its zeros are those that are known to be
        there: the tangent of the branch, of the zero set, of the split line.
    symmetry_induced : (B,) ndarray of bool
        Critical with positive loss, with neurons that share an incoming vector.
    evidence : dict of (B,) ndarray
        ``residual`` (root mean square over the samples), ``loss_over_zero`` (loss over the loss
        of rounding errors), ``gradient_over_floor``, ``displacement`` (flow's end to polished
        point), ``positive``, ``negative``, ``zero`` (inertia), ``expected_zero`` (zeros known to
        be there, -1 unknown) and, with a teacher, ``generalization_error`` (root mean square of
        f - f* on a dense grid), ``branch_distance`` (to the nearest closure).
    notes : tuple of str
        What could not be examined, and why.
    """

    kind: NDArray[np.int8]
    branch: Ints
    index: Ints
    strict: Bools
    certified: Bools
    symmetry_induced: Bools
    evidence: dict[str, NDArray]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        kinds = np.atleast_1d(self.kind)
        counts = sorted(Counter(kinds.tolist()).items())
        return f"Verdicts({', '.join(f'{Kind(k).name} {n}' for k, n in counts)})"


def classify(
    prob: Problem,
    polished: Polished,
    flow: Flow | None = None,
    *,
    n_threads: int | None = None,
) -> Verdicts:
    """Say what each polished point is, and whether it is the limit of its flow.

    Parameters
    ----------
    prob : Problem
        With a teacher, zeros of the loss are told apart into PERFECT and IMPERFECT.
    polished : Polished
        The result of `polish` on ``flow.theta``.
    flow : Flow, optional
        The flows that led there, row by row. Without it the points are judged by themselves.
    n_threads : int, optional
        Default: every processor this process may use.

    Returns
    -------
    Verdicts

    Raises
    ------
    OptionError, ShapeError
        If the arguments do not belong together.

    Notes
    -----
    The rules and their constants stand in ``docs/verdicts.md``.
    A wrong verdict is a defect; UNRESOLVED is not.
    """
    single = _check(prob, polished, flow)
    points = _batch(polished) if single else polished
    flows = _batch(flow) if single and flow is not None else flow
    theta, (positive, negative, zero) = points.theta, points.inertia.T
    finite = np.isfinite(theta).all(axis=1) & np.isfinite(points.zero_bound)
    theta = np.where(finite[:, None], theta, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        evidence: dict[str, NDArray] = {
            "residual": _root_mean_square(prob, points.loss, theta),
            "loss_over_zero": points.loss / points.zero_loss,
            "gradient_over_floor": points.gradient_norm / points.floor,
            "displacement": points.displacement,
            "positive": positive,
            "negative": negative,
            "zero": zero,
        }
    resolved = finite & (points.status == Status.CONVERGED) & ~on_kink(prob, theta)
    resolved &= _is_limit(points, flows)
    # l2 moves minima off the zeros of the residual: then a zero loss has no meaning
    vanishes = resolved & (points.loss <= points.zero_loss) & (prob.l2 == 0.0)

    kind = np.full(len(theta), Kind.UNRESOLVED, dtype=np.int8)
    branch = np.full(len(theta), -1, dtype=np.int64)
    expected = np.full(len(theta), -1, dtype=np.int64)
    grid = dense_problem(prob.net, prob.data, prob.teacher)
    zeros = examine_zeros(prob, grid, points, vanishes, n_threads)
    expected[zeros.regular] = zero[zeros.regular]
    notes: tuple[str, ...] = ()
    if prob.teacher is None:
        kind[vanishes & zeros.determined] = Kind.ZERO_LOSS
    else:
        notes = judge_zeros(
            prob, grid, theta, zeros, vanishes, kind, branch, expected, evidence, n_threads
        )

    with np.errstate(invalid="ignore"):
        rest = resolved & ~(points.loss <= _POSITIVE * points.zero_loss)
    if rest.any():
        hessian = prob.hessian(theta[rest], n_threads=n_threads)
        expected[rest] = known_zeros(prob, theta[rest], hessian, points.zero_bound[rest])
    sure = points.certified & (zero == expected)
    kind[rest & sure & (negative == 0)] = Kind.LOCAL_MINIMUM
    kind[rest & sure & (negative > 0)] = Kind.SADDLE
    if flows is None:
        # A point that is given is judged by itself. A flow may be creeping along zeros that
        # nothing explains, still far from its limit.
        away = rest & points.certified & (evidence["loss_over_zero"] >= _NEARLY_ZERO)
        kind[away & ~sure] = Kind.DEGENERATE
        origin = np.abs(theta).max(axis=1) <= _ORIGIN
        kind[away & origin & (negative > 0)] = Kind.SADDLE
    elif prob.l2 == 0.0:
        # At a positive loss a finite minimum may lie ahead, lower by less than rounding shows.
        falling = flows.loss < VANISHING * prob.loss(np.zeros(theta.shape[1]))
        grown = (flows.tails.law == Law.ESCAPE) & falling | _is_far(prob, flows.theta)
        kind[(flows.status == Status.ESCAPED) & grown] = Kind.AT_INFINITY
    evidence["expected_zero"] = expected
    fields = {
        "kind": kind,
        "branch": branch,
        "index": np.where(finite, negative, -1),
        "strict": finite & (zero == 0),
        "certified": resolved & sure,
        "symmetry_induced": rest & share_incoming(prob.net, theta),
    }
    if single:
        fields = {name: rows[0] for name, rows in fields.items()}
        evidence = {name: rows[0] for name, rows in evidence.items()}
    return Verdicts(**fields, evidence=evidence, notes=notes)


def _check(prob: Problem, polished: Polished, flow: Flow | None) -> bool:
    check_problem(prob)
    if not isinstance(polished, Polished):
        raise OptionError(f"polished={describe(polished)} must be the result of polish()")
    if polished.theta.shape[-1] != prob.net.n_params:
        raise ShapeError(
            f"polished has {polished.theta.shape[-1]} parameters and the network has "
            f"{prob.net.n_params}; polish with the same problem"
        )
    if flow is not None and not isinstance(flow, Flow):
        raise OptionError(f"flow={describe(flow)} must be the result of gradient_flow(), or None")
    if flow is not None and flow.theta.shape != polished.theta.shape:
        raise ShapeError(
            f"flow has shape {flow.theta.shape} and polished {polished.theta.shape}; "
            "polish flow.theta of this very flow"
        )
    return polished.theta.ndim == 1


def _batch(single: _Result) -> _Result:
    """Return a single result as a batch of one."""
    rows: dict[str, Any] = {
        field.name: np.asarray(value)[None]
        for field in dataclasses.fields(single)
        if isinstance(value := getattr(single, field.name), np.ndarray | np.generic)
    }
    if isinstance(single, Flow):
        rows["tails"] = Tails(*(np.array([value]) for value in vars(single.tails).values()))
    return dataclasses.replace(single, **rows)


def _is_limit(points: Polished, flows: Flow | None) -> Bools:
    """Whether the polished point is where the flow goes."""
    if flows is None:
        return np.ones(len(points.theta), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        size = 1.0 + np.linalg.norm(flows.theta, axis=1)
        near = points.displacement <= _SAME_POINT * size
    # A flow stopped by gtol may still be passing a saddle.
    still = (flows.gradient_norm <= flows.floor) | (points.inertia[:, 1] == 0)
    return near & still & flows.success


def _is_far(prob: Problem, theta: Floats) -> Bools:
    """Whether a parameter is beyond `_INFINITE` in units of the data: (B,)."""
    parts = prob.net.unpack(theta)
    outgoing = np.abs(parts.a).max(axis=tuple(range(1, parts.a.ndim)), initial=0.0)
    incoming = np.abs(parts.w).max(axis=(1, 2)) * np.abs(prob.data.x).max()
    if parts.b is not None:
        incoming = np.maximum(incoming, np.abs(parts.b).max(axis=1))
    height = max(float(np.abs(prob.data.y).max()), 1.0)
    return (outgoing >= _INFINITE * height) | (incoming >= _INFINITE)


def _root_mean_square(prob: Problem, loss: Floats, theta: Floats) -> Floats:
    total = prob.data.total_weight
    per_sample = (loss - 0.5 * prob.l2 * (theta**2).sum(axis=1)) / (prob.scale * total)
    return np.sqrt(np.maximum(per_sample, 0.0))
