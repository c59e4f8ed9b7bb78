"""Section 2: the flow's equations, the worked example, Theorem 2.1."""

from __future__ import annotations

import numpy as np

from flowscape.papers.finding import Finding, compare, holds_if
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.papers.local_recovery.setting import family, problem, sizes, stream, worked_example


@STATEMENTS.measured(
    "flow-equations",
    "section 2.1, equations of the gradient flow",
    "da_k/dt = 2 sum_i (g - f*) sigma(w_k.x_i), and likewise for w_k",
    correction="the sign is minus",
    mutation={"factor": -1.0},
    mutation_says="the factor 2 is left out",
)
def flow_equations(factor: float = -2.0) -> Finding:
    """Compare the right sides, written out here, with -grad R of the compiled loss."""
    rng = stream(1)
    right, wrong, instances = 0.0, 0.0, 0
    for m, m0 in ((2, 1), (3, 2)):
        found = family(m, m0, 2)
        x = rng.normal(size=(5, 2))
        prob = problem(found, x)
        for theta in rng.normal(size=(4, found.setting.n_params)):
            parts = found.net.unpack(theta)
            value = np.exp(x @ parts.w.T)
            gap = prob.residual(theta)
            a = gap @ value
            w = (parts.a[:, None] * value.T) @ (gap[:, None] * x)
            formula = np.concatenate([a[:, None], w], axis=1).ravel()
            flow = -prob.gradient(theta)
            size = np.abs(flow).max()
            right = max(right, float(np.abs(factor * formula - flow).max() / size))
            wrong = max(wrong, float(np.abs(2.0 * formula - flow).max() / size))
            instances += 1
    printed = holds_if(wrong <= 1e-11)
    return compare(0.0, right, 1e-11, instances=instances, printed=printed, error_as_printed=wrong)


@STATEMENTS.measured(
    "worked-example",
    "section 2.2 and 2.3, two neurons and one target neuron",
    "one-dimensional input, theta in R^4; Q_1 a line, Q_2 and Q_3 planes; N = 5, 4, 4",
    correction="x in R^2 and theta in R^6",
    mutation={"d": 1},
    mutation_says="the input has one dimension",
)
def worked(d: int = 2) -> Finding:
    """Count dimensions and thresholds of the three branches."""
    wanted = [(1, 5), (2, 4), (2, 4)]

    def misses(inputs: int) -> int:
        found = [(b.dim, b.separation_size) for b in worked_example(inputs)]
        return sum(one != other for one, other in zip(found, wanted, strict=True))

    return compare(0.0, misses(d), 0.0, instances=3, printed=holds_if(misses(1) == 0))


@STATEMENTS.measured(
    "theorem-2-1",
    "Theorem 2.1",
    "each branch has a threshold N_t <= m(d+1), smaller if m > m0, from which it is separated",
    mutation={"slack": 2},
    mutation_says="N_t <= m(d+1) - 2 is claimed",
)
def theorem_2_1(slack: int = 0) -> Finding:
    """Compare all codimensions with m(d+1); that they separate is Lemma 4.2."""
    wrong = instances = 0
    for d in (1, 2, 3):
        for m, m0 in sizes(4):
            for orbit in family(m, m0, d).orbits():
                bound = m * (d + 1) - slack - (1 if m > m0 else 0)
                wrong += orbit.representative.separation_size > bound
                instances += 1
    return compare(0.0, float(wrong), 0.0, instances=instances)
