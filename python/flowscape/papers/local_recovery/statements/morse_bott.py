"""Definition 4.1 and the examples after it, Figure 6."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.objective import Problem
from flowscape.papers.finding import Finding, compare, holds_if
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import draw, rank
from flowscape.problem import Samples, TwoLayer

Floats = NDArray[np.float64]


@STATEMENTS.measured(
    "morse-bott-powers",
    "Section 4, after Definition 4.1",
    "x^n is Morse-Bott for n = 2, 3, 4, ...",
    correction="for n = 2 only: the second derivative n(n-1)x^(n-2) vanishes at 0 for n > 2",
    mutation={"said": (2, 4)},
    mutation_says="n = 4 is Morse-Bott too",
)
def morse_bott_powers(said: tuple[int, ...] = (2,)) -> Finding:
    """Take the second derivative across {x = 0} from differences that are exact for n <= 6.

    Central differences with steps 1/16, 2/16, 4/16 are extrapolated twice.
    """
    found = []
    for n in range(2, 7):
        h = np.array([1.0, 2.0, 4.0]) / 16.0
        d = (h**n + (-h) ** n) / h**2
        d = (4.0 * d[:-1] - d[1:]) / 3.0
        if 16.0 * d[0] - d[1] != 0.0:
            found.append(n)
    return Finding(
        str(list(said)),
        str(found),
        0.0,
        5,
        holds_if(found == list(said)),
        holds_if(found == [2, 3, 4, 5, 6]),
        {},
    )


@STATEMENTS.measured(
    "morse-bott-linear",
    "Section 4, example (a) after Definition 4.1",
    "linear regression is Morse-Bott: (grad R)^-1(0) is a union of affine spaces orthogonal to "
    "ker(Hess R)",
    correction="one affine space, parallel to ker(Hess R), so orthogonal to the range",
    mutation={"orthogonal": True},
    mutation_says="orthogonal to the kernel",
)
def morse_bott_linear(orthogonal: bool = False) -> Finding:
    """Compare two solutions found by descent with kernel and range; n < d."""
    along, across, instances = 0.0, 0.0, 0
    for n, d in ((1, 2), (2, 4), (3, 5)):
        rng = draw(n, d, 60)
        x, y = rng.normal(size=(n, d)), rng.normal(size=n)
        hessian = 2.0 * x.T @ x
        values, vectors = np.linalg.eigh(hessian)
        flat = vectors[:, values <= 1e-12 * values[-1]]
        ends = []
        for _ in range(2):
            w = rng.normal(size=d)
            for _ in range(4000):
                w = w - (hessian @ w - 2.0 * x.T @ y) / values[-1]
            ends.append(w)
        way = ends[1] - ends[0]
        along = max(along, float(np.linalg.norm(way - flat @ (flat.T @ way)) / np.linalg.norm(way)))
        across = max(across, float(np.linalg.norm(flat.T @ way) / np.linalg.norm(way)))
        instances += 1
    return compare(
        0.0, across if orthogonal else along, 1e-6, instances=instances, as_printed=across
    )


@STATEMENTS.measured(
    "morse-bott-exp",
    "Section 4, example (b) after Definition 4.1",
    "sigma = exp, m = n = 1: (grad R)^-1(0) = R^-1(0) = {a = y e^(-w.x)}, of codimension 1, with "
    "Hess "
    "R = 2 e^(2w.x) (1, a x)^T (1, a x) of rank 1",
    mutation={"factor": 1.0},
    mutation_says="the factor 2 is left out",
)
def morse_bott_exp(factor: float = 2.0) -> Finding:
    """Compare with the computed gradient and Hessian, d = 1, 2, 3, y of both signs."""
    worst, instances, wrong_rank, least = 0.0, 0, 0, np.inf
    for d in (1, 2, 3):
        for sign in (-1.0, 1.0):
            rng = draw(d, 61)
            x, y = rng.normal(size=(1, d)), np.array([sign * rng.uniform(0.5, 1.5)])
            net = TwoLayer(width=1, inputs=d, activation="exp", bias=False)
            prob = Problem(net, Samples(x, y), "sum")
            w = rng.normal(size=(5, 1, d))
            reach = np.exp((w @ x[0])[:, 0])
            theta = net.pack(a=(y / reach)[:, None], w=w)
            for row, e in zip(theta, reach, strict=True):
                hessian = prob.hessian(row)
                v = e * np.concatenate([[1.0], row[0] * x[0]])
                gap = np.abs(hessian - factor * np.outer(v, v)).max() / np.abs(hessian).max()
                worst = max(worst, float(gap), float(np.abs(prob.gradient(row)).max()))
                wrong_rank += rank(hessian) != 1
                instances += 1
            away = prob.gradient(theta * 1.3)
            least = min(least, float(np.abs(away).max(axis=1).min()))
    return Finding(
        0.0,
        worst,
        1e-12,
        instances,
        holds_if(worst <= 1e-12 and wrong_rank == 0 and least > 1e-3),
        None,
        {"ranks_other_than_1": wrong_rank, "least_gradient_off_the_set": least},
    )


@STATEMENTS.measured(
    "figure-6-caption",
    "Definition 4.1; caption of Figure 6",
    "f = (x^2-y)^2 vanishes on a parabola, and Hess f is not degenerate on its normals",
    mutation={"power": 4},
    mutation_says="f = (x^2-y)^4",
)
def figure_6_caption(power: int = 2) -> Finding:
    """Take the second derivative along the normal by differences: it must be 2(4x^2+1)."""
    x = np.linspace(-2.0, 2.0, 41)
    normal = np.stack([2.0 * x, -np.ones_like(x)]) / np.sqrt(4.0 * x**2 + 1.0)
    h = 1e-3

    def f(s: float) -> Floats:
        u, v = x + s * normal[0], x**2 + s * normal[1]
        return (u**2 - v) ** power

    second = (f(h) - 2.0 * f(0.0) + f(-h)) / h**2
    said = 2.0 * (4.0 * x**2 + 1.0)
    return compare(0.0, float(np.abs(second / said - 1.0).max()), 1e-4, instances=len(x))
