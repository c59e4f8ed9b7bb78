"""SciPy: LSODA, BDF, Radau and RK45, stepped with a test of the gradient after every step."""

from __future__ import annotations

import numpy as np
from scipy.integrate import BDF, LSODA, RK45, OdeSolver, Radau

from peerlib.flow_peer import (
    Budget,
    Ends,
    FlowPeer,
    Jacobian,
    Velocity,
    closed_form,
    engine_functions,
)
from workloads import FlowWorkload

# budget of the runs that are cut short, in CPU seconds
_CAPPED = 12.0


def solve(
    work: FlowWorkload,
    method: type[OdeSolver],
    velocity: Velocity,
    jacobian: Jacobian | None,
    networks: int,
    evaluations: float = np.inf,
    seconds: float = np.inf,
) -> Ends:
    """Step every network until its gradient is small, the end time, or a cap."""
    p = work.at.theta.shape[1]
    ends = Ends(np.empty((networks, p)), np.empty(networks), np.zeros(networks, bool))
    steps = nfev = njev = 0
    budget = Budget(seconds)
    options = {} if jacobian is None else {"jac": lambda t, theta: jacobian(theta)}
    for row in range(networks):
        solver = method(
            lambda t, theta: velocity(theta),
            0.0,
            work.at.theta[row].copy(),
            work.t_max,
            rtol=work.rtol,
            atol=work.atol,
            **options,
        )
        while solver.status == "running":
            if solver.nfev > evaluations or budget.spent():
                ends.capped = True
                break
            solver.step()
            steps += 1
            if np.abs(velocity(solver.y)).max() <= work.gtol:
                ends.converged[row] = True
                break
        if solver.status == "failed":
            raise RuntimeError(f"{method.__name__} failed at t = {solver.t:.3g}")
        ends.theta[row], ends.t[row] = solver.y, solver.t
        nfev += solver.nfev
        njev += solver.njev
    ends.counts = f"{steps / networks:.0f} steps, {nfev / networks:.0f} f"
    if njev:
        ends.counts += f", {njev / networks:.0f} J"
    if ends.capped:
        ends.counts += ", cut short"
    return ends


def candidates(work: FlowWorkload) -> list[FlowPeer]:
    velocity, jacobian = closed_form(work)
    implicit = {"lsoda": LSODA, "bdf": BDF, "radau": Radau}
    if work.name == "W5":
        sizes = {"lsoda": 60, "bdf": 20, "radau": 20}
        found = [
            FlowPeer(
                f"scipy-{key}",
                f"SciPy {method.__name__}, NumPy f and Jacobian",
                sizes[key],
                lambda key=key, method=method: solve(work, method, velocity, jacobian, sizes[key]),
            )
            for key, method in implicit.items()
        ]
        found.append(
            FlowPeer(
                "scipy-rk45",
                "SciPy RK45, NumPy f, at most 1e5 evaluations each",
                2,
                lambda: solve(work, RK45, velocity, None, 2, evaluations=1e5),
                once=True,
            )
        )
        return found
    own_velocity, own_jacobian = engine_functions(work)
    return [
        FlowPeer(
            "scipy-bdf",
            "SciPy BDF, NumPy f and Jacobian",
            1,
            lambda: solve(work, BDF, velocity, jacobian, 1),
            once=True,
        ),
        FlowPeer(
            "scipy-lsoda",
            "SciPy LSODA, NumPy f and Jacobian",
            1,
            lambda: solve(work, LSODA, velocity, jacobian, 1),
            once=True,
        ),
        FlowPeer(
            "scipy-radau",
            f"SciPy Radau, NumPy f and Jacobian, at most {_CAPPED:g} s",
            1,
            lambda: solve(work, Radau, velocity, jacobian, 1, seconds=_CAPPED),
            once=True,
        ),
        FlowPeer(
            "scipy-bdf-flowscape",
            "SciPy BDF, Flowscape's gradient and Hessian",
            1,
            lambda: solve(work, BDF, own_velocity, own_jacobian, 1),
            once=True,
        ),
    ]
