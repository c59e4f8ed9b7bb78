"""CVODE's BDF through scikit-sundae, stopped by a root function on the gradient's norm."""

from __future__ import annotations

import numpy as np
from sksundae.cvode import CVODE

from peerlib.flow_peer import Ends, FlowPeer, Jacobian, Velocity, closed_form
from workloads import FlowWorkload


def solve(work: FlowWorkload, velocity: Velocity, jacobian: Jacobian, networks: int) -> Ends:
    counts = {"f": 0, "J": 0}

    def rhs(t, theta, out):
        counts["f"] += 1
        out[:] = velocity(np.asarray(theta))

    def jac(t, theta, f, out):
        counts["J"] += 1
        out[:] = jacobian(np.asarray(theta))

    def event(t, theta, out):
        counts["f"] += 1
        out[0] = np.abs(velocity(np.asarray(theta))).max() - work.gtol

    event.terminal = [True]
    event.direction = [0]
    solver = CVODE(
        rhs,
        method="BDF",
        rtol=work.rtol,
        atol=work.atol,
        jacfn=jac,
        max_num_steps=1_000_000,
        eventsfn=event,
        num_events=1,
    )
    p = work.at.theta.shape[1]
    ends = Ends(np.empty((networks, p)), np.empty(networks), np.zeros(networks, bool))
    for row in range(networks):
        solution = solver.solve(np.array([0.0, work.t_max]), work.at.theta[row])
        if not solution.success:
            raise RuntimeError(f"CVODE failed: {solution.message}")
        ends.theta[row], ends.t[row] = solution.y[-1], solution.t[-1]
        ends.converged[row] = solution.t[-1] < work.t_max
    ends.counts = ", ".join(f"{count / networks:.0f} {name}" for name, count in counts.items())
    return ends


def candidates(work: FlowWorkload) -> list[FlowPeer]:
    velocity, jacobian = closed_form(work)
    if work.name == "W6":
        label = "CVODE BDF (scikit-sundae), NumPy f and Jacobian"
        run = lambda: solve(work, velocity, jacobian, 1)  # noqa: E731
        return [FlowPeer("cvode-numpy", label, 1, run, once=True)]
    try:
        from peerlib.numba_forms import flow_functions
    except ImportError:
        label = "CVODE BDF (scikit-sundae), NumPy f and Jacobian"
        run = lambda: solve(work, velocity, jacobian, 40)  # noqa: E731
        return [FlowPeer("cvode-numpy", label, 40, run)]
    compiled = flow_functions(work.at)
    label = "CVODE BDF (scikit-sundae), numba f and Jacobian"
    return [FlowPeer("cvode-numba", label, 100, lambda: solve(work, *compiled, 100))]
