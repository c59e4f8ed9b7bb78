"""Section 5.2: the subspaces V_s, V_c and V_p."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, compare, holds_if
from flowscape.papers.local_recovery.ledger import STATEMENTS

Floats = NDArray[np.float64]


@STATEMENTS.measured(
    "projections",
    "Section 5.2, before Theorem 5.3",
    "V_s is the largest subspace with v.Hess R(theta) v != 0 for all v != 0 in it",
    correction="V_s is the range of Hess R(theta): the largest such subspace is not unique",
    mutation={"tilt": 0.2},
    mutation_says="V_s is a tilted subspace of the same dimension",
)
def projections(tilt: float = 0.0) -> Finding:
    """Tilt V_s of R = x^2 + y^4: vHv stays positive, but V_s is no longer orthogonal to the kernel.

    Measured is the angle between V_s and the orthogonal complement of the kernel.
    """
    hessian = np.diag([2.0, 0.0, 0.0])
    v = np.array([1.0, tilt, 0.0]) / np.hypot(1.0, tilt)
    values, vectors = np.linalg.eigh(hessian)
    kernel = vectors[:, values <= 0.0]
    other = np.array([1.0, 0.2, 0.0])
    unique = not other @ hessian @ other > 0.0
    return compare(
        0.0,
        float(np.linalg.norm(kernel.T @ v)),
        1e-12,
        instances=2,
        printed=holds_if(unique),
    )


@STATEMENTS.measured(
    "projections-example",
    "Section 5.2, example before Theorem 5.3",
    "R = x^2 + y^4 + 0z: Hess R = diag(2, 12y^2, 0), and V_s, V_c, V_p are the x-, y- and z-axis",
    mutation={"power": 2},
    mutation_says="R = x^2 + y^2",
)
def projections_example(power: int = 4) -> Finding:
    """Find the axes by differences of R: curvature at 0, and whether R is constant along them."""
    h = 1e-2

    def loss(u: Floats) -> float:
        return float(u[0] ** 2 + np.abs(u[1]) ** power)

    axes = ""
    for axis in np.eye(3):
        wide, near = [(loss(s * axis) + loss(-s * axis)) / s**2 for s in (h, 0.1 * h)]
        curved = near > 0.5 * wide > 0.0
        axes += "s" if curved else "c" if loss(h * axis) > 0.0 else "p"
    y = 0.7
    middle = np.array([0.0, y, 0.0])
    e = np.array([0.0, h, 0.0])
    second = (loss(middle + e) - 2.0 * loss(middle) + loss(middle - e)) / h**2
    gap = abs(second - 12.0 * y**2)
    return Finding(
        "scp", axes, 0.0, 3, holds_if(axes == "scp" and gap < 1e-3), None, {"curvature_error": gap}
    )
