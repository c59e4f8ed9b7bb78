"""SciPy's solvers with right-hand side and Jacobian compiled by numba; W5 only."""

from __future__ import annotations

from scipy.integrate import BDF, LSODA

from peerlib.flow_peer import FlowPeer
from peerlib.numba_forms import flow_functions
from peerlib.ode_scipy import solve
from workloads import FlowWorkload


def candidates(work: FlowWorkload) -> list[FlowPeer]:
    if work.name != "W5":
        return []
    velocity, jacobian = flow_functions(work.at)
    return [
        FlowPeer(
            f"scipy-{method.__name__.lower()}-numba",
            f"SciPy {method.__name__}, numba f and Jacobian",
            networks,
            lambda method=method, networks=networks: solve(
                work, method, velocity, jacobian, networks
            ),
        )
        for method, networks in ((LSODA, 200), (BDF, 20))
    ]
