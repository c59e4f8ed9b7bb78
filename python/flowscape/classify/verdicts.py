"""The verdict on a batch of limits, from evidence that was computed for all of them."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.branches import Branches, branches
from flowscape.classify.generalization import generalization_problem
from flowscape.classify.structure import merged_neurons, silent_neurons
from flowscape.errors import OptionError, ProblemError, ShapeError, describe
from flowscape.flow import Flow
from flowscape.objective import Problem
from flowscape.polish import Polished
from flowscape.problem import Teacher, TwoLayer
from flowscape.status import Kind, Status

__all__ = ["Verdicts", "classify"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A zero of the loss whose function is this close to the target's, relative to the target's size,
# is perfect; one farther than the second bound is imperfect; between them nothing is claimed.
_PERFECT, _IMPERFECT = 1e-8, 1e-5
# A perfect point lies at most this far from the closure of its branch, relative to 1 + |theta|.
_NEAR = 1e-3
# The polished point is the flow's limit only if it is at most this far away, relative likewise.
_SAME_POINT = 1e-2


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


@functools.lru_cache(maxsize=64)
def _family(net: TwoLayer, teacher: Teacher) -> tuple[Branches | None, str]:
    try:
        family = branches(net, teacher)
    except ProblemError as error:
        return None, str(error)
    return (None, family.message) if family.message else (family, "")


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
    The rules stand in ``docs/verdicts.md``; the bounds they use are the constants above.
    A wrong verdict is a defect; UNRESOLVED is not.
    """
    single = _check(prob, polished, flow)
    theta = np.atleast_2d(polished.theta)
    finite = np.isfinite(theta).all(axis=1) & np.isfinite(np.atleast_1d(polished.zero_bound))
    safe = np.where(finite[:, None], theta, 0.0)
    size = 1.0 + np.linalg.norm(safe, axis=1)
    inertia = np.atleast_2d(polished.inertia)
    positive, negative, zero = inertia.T
    with np.errstate(invalid="ignore", divide="ignore"):
        evidence: dict[str, NDArray] = {
            "residual": _root_mean_square(prob, np.atleast_1d(polished.loss), safe),
            "loss_over_zero": np.atleast_1d(polished.loss / polished.zero_loss),
            "gradient_over_floor": np.atleast_1d(polished.gradient_norm / polished.floor),
            "displacement": np.atleast_1d(polished.displacement),
            "positive": positive,
            "negative": negative,
            "zero": zero,
        }
    critical = finite & (np.atleast_1d(polished.status) == Status.CONVERGED)
    resolved = critical & _is_limit(polished, flow, evidence["displacement"], size, negative)
    # l2 moves minima off the zeros of the residual: then a zero loss has no meaning
    vanishes = resolved & (evidence["loss_over_zero"] <= 1.0) & (prob.l2 == 0.0)

    kind = np.full(len(theta), Kind.UNRESOLVED, dtype=np.int8)
    branch = np.full(len(theta), -1, dtype=np.int64)
    merged = merged_neurons(prob.net, safe)
    expected = prob.net.outputs * (merged + silent_neurons(prob.net, safe))
    notes: tuple[str, ...] = ()
    full_rank = positive == len(prob.data) * prob.net.outputs
    expected = np.where(vanishes, np.where(full_rank, zero, -1), expected)
    if prob.teacher is None:
        kind[vanishes] = Kind.ZERO_LOSS
    else:
        perfect, notes = _perfect(prob, safe, vanishes, size, branch, expected, evidence, n_threads)
        far = evidence["generalization_error"] >= _IMPERFECT * _target_size(prob)
        kind[perfect] = Kind.PERFECT
        # with a Jacobian of full row rank a true zero lies within rounding error of the point
        kind[vanishes & ~perfect & far & full_rank] = Kind.IMPERFECT

    rest = resolved & ~vanishes
    clear = np.atleast_1d(polished.certified)
    sure = clear & (zero == expected)
    kind[rest & sure & (negative > 0)] = Kind.SADDLE
    kind[rest & sure & (negative == 0)] = Kind.LOCAL_MINIMUM
    # More zeros than are known: a flow may be creeping along them, still far from its limit. A
    # point that was given is judged by itself.
    if flow is None:
        kind[rest & clear & (zero != expected)] = Kind.DEGENERATE
    if flow is not None:
        kind[np.atleast_1d(flow.status) == Status.ESCAPED] = Kind.AT_INFINITY
    evidence["expected_zero"] = expected
    verdicts = {
        "kind": kind,
        "branch": branch,
        "index": np.where(finite, negative, -1),
        "strict": finite & (zero == 0),
        "certified": resolved & sure,
        "symmetry_induced": rest & (merged > 0),
    }
    if single:
        verdicts = {name: rows[0] for name, rows in verdicts.items()}
        evidence = {name: rows[0] for name, rows in evidence.items()}
    return Verdicts(**verdicts, evidence=evidence, notes=notes)


def _check(prob: Problem, polished: Polished, flow: Flow | None) -> bool:
    if not isinstance(prob, Problem):
        raise OptionError(f"prob={describe(prob)} must be a Problem")
    if not isinstance(polished, Polished):
        raise OptionError(f"polished={describe(polished)} must be the result of polish()")
    if polished.theta.shape[-1] != prob.net.n_params:
        raise ShapeError(
            f"polished has {polished.theta.shape[-1]} parameters and the network has "
            f"{prob.net.n_params}; polish with the same problem"
        )
    if flow is not None and flow.theta.shape != polished.theta.shape:
        raise ShapeError(
            f"flow has shape {flow.theta.shape} and polished {polished.theta.shape}; "
            "polish flow.theta of this very flow"
        )
    return polished.theta.ndim == 1


def _is_limit(
    polished: Polished, flow: Flow | None, displacement: Floats, size: Floats, negative: Ints
) -> Bools:
    """Whether the polished point is where the flow goes."""
    if flow is None:
        return np.ones(len(size), dtype=np.bool_)
    near = displacement <= _SAME_POINT * size
    ended = np.atleast_1d(flow.status) == Status.CONVERGED
    # A flow stopped by gtol may still be passing a saddle.
    still = np.atleast_1d(flow.gradient_norm) <= np.atleast_1d(flow.floor)
    return ended & near & (still | (negative == 0))


def _root_mean_square(prob: Problem, loss: Floats, theta: Floats) -> Floats:
    total = prob.data.total_weight
    per_sample = (loss - 0.5 * prob.l2 * (theta**2).sum(axis=1)) / (prob.scale * total)
    return np.sqrt(np.maximum(per_sample, 0.0))


def _target_size(prob: Problem) -> float:
    """Root mean square of the target on the dense grid, at least 1e-300."""
    grid = generalization_problem(prob.net, prob.data, prob.teacher)
    return max(float(np.sqrt(np.mean(grid.data.y**2))), 1e-300)


def _perfect(
    prob: Problem,
    theta: Floats,
    vanishes: Bools,
    size: Floats,
    branch: Ints,
    expected: Ints,
    evidence: dict[str, NDArray],
    n_threads: int | None,
) -> tuple[Bools, tuple[str, ...]]:
    """Fill in branches and expected zeros of perfect points; return which are perfect."""
    grid = generalization_problem(prob.net, prob.data, prob.teacher)
    error = np.sqrt(grid.loss(theta, n_threads=n_threads))
    evidence["generalization_error"] = error
    evidence["branch_distance"] = np.full(len(theta), np.nan)
    perfect = vanishes & (error <= _PERFECT * _target_size(prob))
    family, why = _family(prob.net, prob.teacher)
    if family is None:
        return perfect, (why,) if why else ()
    try:
        place = family.locate(theta, _NEAR)
    except ProblemError as refused:
        return perfect, (str(refused),)
    evidence["branch_distance"] = place.distance
    perfect &= place.distance <= _NEAR * size
    branch[perfect] = place.orbit[perfect]
    known = perfect & (branch >= 0)
    expected[known] = _zeros_on_branch(prob, family)[branch[known]]
    return perfect, ()


def _zeros_on_branch(prob: Problem, family: Branches) -> Ints:
    """Return P - min(n, rank) for every orbit, -1 where the rank is not known in closed form.

    At a generic point of a branch with r groups and deficient number l the Jacobian has rank
    r + (r - l) D (theory.md, section 2), for separating inputs, one output, no constant group.
    """
    n, p, d = len(prob.data), prob.net.n_params, prob.net.neuron_inputs
    zeros = []
    for orbit in family.orbits():
        b = orbit.representative
        known = b.is_affine and prob.net.outputs == 1 and not prob.net.output_bias
        zeros.append(p - min(n, b.r + (b.r - b.l) * d) if known and not _constant(b) else -1)
    return np.array(zeros, dtype=np.int64)


def _constant(branch: object) -> bool:
    return bool(branch.shape.constant.size)
