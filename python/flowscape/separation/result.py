"""The verdict on a branch, its reason, and what follows from it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.brief import Brief

__all__ = ["ImperfectZero", "Reason", "Separation", "SeparationVerdict"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]


class SeparationVerdict(enum.IntEnum):
    """Whether the zeros of the loss near a branch are the branch's own points."""

    UNDECIDED = 0
    SEPARATED = 1
    NOT_SEPARATED = 2


class Reason(enum.IntEnum):
    """Why; see ``docs/separation.md``."""

    RANK = 1
    CODIMENSION = 2
    DEFINITE_FORM = 3
    NO_COMMON_ROOT = 4
    REGULAR_ROOT = 5
    NOT_SEPARATING_INPUTS = 6
    DEGENERATE_FORMS = 7
    VARIES_ALONG_BRANCH = 8
    DEPENDS_ON_POINT = 9
    ONE_GROUP = 10
    ONE_SIDE = 11
    DEFICIENT = 12
    ON_A_KINK = 13


_SENTENCES = {
    Reason.RANK: "the Jacobian has full row rank below the codimension, or the codimension as rank",
    Reason.CODIMENSION: "at least as many samples as the codimension, true for almost all samples",
    Reason.DEFINITE_FORM: "a combination of the quadratic forms is definite: no common root",
    Reason.NO_COMMON_ROOT: "interval exclusion: the quadratic forms have no common root",
    Reason.REGULAR_ROOT: "the quadratic forms have a common root with independent gradients",
    Reason.NOT_SEPARATING_INPUTS: "full rank of the features is not proven for these samples",
    Reason.DEGENERATE_FORMS: "the quadratic forms do not decide: higher order",
    Reason.VARIES_ALONG_BRANCH: "separated near some points of the branch, not near others",
    Reason.DEPENDS_ON_POINT: "depends on the free incoming vectors; ask at a point theta",
    Reason.ONE_GROUP: "moving one group of neurons alone leaves more freedom than equations",
    Reason.ONE_SIDE: "two neurons on one side of a line turn apart unseen by the samples",
    Reason.DEFICIENT: "the rank of the Jacobian is less than the codimension, and the zeros linear",
    Reason.ON_A_KINK: "a sample lies on the kink of a neuron",
}


_SOME_ZEROS = (Reason.ONE_GROUP, Reason.ONE_SIDE, Reason.DEFICIENT)


@dataclass(frozen=True, repr=False)
class Separation(Brief):
    """Verdicts on one branch for one sample set, or for a stack of S of them.

    Attributes
    ----------
    verdict : SeparationVerdict, or (S,) ndarray of int8
    reason : Reason, or (S,) ndarray of int8
    rank : int
        Of the Jacobian where its full rank is proven: min(n, rho).
    codim, dim, n_params, n : int
        Of the branch, of the network, and the number of samples.
    n_forms, n_variables : int
        Of the silent regime rho < n < codim; 0 outside.
    margin : float or (S,) ndarray
        How far the certificate is from failing, in its own unit; NaN where there is none.
    root : (P,) ndarray or None
        At a single point and sample set with a regular root: a unit direction in parameter space
        along which imperfect zeros leave the branch.
    outputs : int
        O: n samples give n O equations.
    """

    verdict: SeparationVerdict | Ints
    reason: Reason | Ints
    rank: int
    codim: int
    dim: int
    n_params: int
    n: int
    n_forms: int
    n_variables: int
    margin: float | Floats
    root: Floats | None
    outputs: int = 1

    @property
    def message(self) -> str:
        """One sentence on the reason; of one sample set."""
        return _SENTENCES[Reason(int(self.reason))]

    @property
    def local_dimension(self) -> NDArray[np.int64] | int:
        """Dimension of the zeros of the loss near generic points of the branch; -1: undecided.

        dim of the branch where it is separated, P - n O where it is not; undecided where the
        reason, such as ONE_GROUP, gives imperfect zeros but not all of them.
        """
        verdict = np.asarray(self.verdict)
        found = np.where(verdict == SeparationVerdict.SEPARATED, self.dim, -1)
        not_separated = verdict == SeparationVerdict.NOT_SEPARATED
        not_separated &= ~np.isin(self.reason, _SOME_ZEROS)
        found = np.where(not_separated, self.n_params - self.n * self.outputs, found)
        return found.astype(np.int64) if found.ndim else int(found)

    @property
    def morse_bott(self) -> bool | list[bool | None] | None:
        """Whether the loss is Morse-Bott at generic points of the branch; None: undecided.

        It is exactly where the rank of the Jacobian is the codimension of the set of zeros: rank =
        codim of a separated branch, or rank = n O. Elsewhere the rank is smaller, and at a regular
        root the zeros are not even a manifold. None, too, where not all zeros are known.
        """
        verdict, reason = np.asarray(self.verdict), np.asarray(self.reason)
        by_rank = (reason == Reason.RANK) | (self.rank == self.codim)
        answers = [
            None if v == SeparationVerdict.UNDECIDED or why in _SOME_ZEROS else bool(r)
            for v, r, why in zip(*map(np.atleast_1d, (verdict, by_rank, reason)), strict=True)
        ]
        return answers if verdict.ndim else answers[0]


@dataclass(frozen=True, repr=False)
class ImperfectZero(Brief):
    """A zero of the loss near a branch that is not the target.

    Attributes
    ----------
    theta : (P,) ndarray
    residual : float
        Largest |f(x_i) - f*(x_i)| at the samples: rounding.
    distance : float
        To the closure of the branch.
    defect : float
        Largest |f - f*| on other inputs.
    smallest : float
        Smallest singular value of the Jacobian (where one group moves alone: of its moves). A true
        zero lies within residual sqrt(n O) / smallest, to first order.
    """

    theta: Floats
    residual: float
    distance: float
    defect: float
    smallest: float
