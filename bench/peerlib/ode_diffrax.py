"""diffrax: the loss of one network differentiated by JAX, jit(vmap(diffeqsolve)), with an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from peerlib.flow_peer import Ends, FlowPeer
from peerlib.jax_forms import matrix_loss
from workloads import FlowWorkload, w6

# W6 is extrapolated: CPU time of this many steps at full size, times the steps that a copy
# with fewer samples needs to its end
_STEPS = 8
_FEWER = 300
_MOST_STEPS = 20_000


def compiled(
    work: FlowWorkload, solver: diffrax.AbstractSolver, max_steps: int
) -> Callable[[], tuple[Any, ...]]:
    """Return run() -> (theta, t, steps) of all starts of `work`, vmapped if there are many."""
    gradient = jax.grad(matrix_loss(work.at))

    def one(start: jax.Array, data: tuple[jax.Array, jax.Array]) -> tuple[Any, ...]:
        def quiet(t: Any, theta: jax.Array, data: Any, **rest: Any) -> jax.Array:
            return jnp.max(jnp.abs(gradient(theta, *data))) <= work.gtol

        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, theta, data: -gradient(theta, *data)),
            solver,
            t0=0.0,
            t1=work.t_max,
            dt0=1e-3,
            y0=start,
            args=data,
            saveat=diffrax.SaveAt(t1=True),
            stepsize_controller=diffrax.PIDController(rtol=work.rtol, atol=work.atol),
            event=diffrax.Event(quiet),
            max_steps=max_steps,
            throw=False,
        )
        return solution.ys[-1], solution.ts[-1], solution.stats["num_steps"]

    solve = jax.jit(jax.vmap(one, (0, None)))
    starts = jnp.asarray(work.at.theta)
    data = jnp.asarray(work.at.x1), jnp.asarray(work.at.y)
    return lambda: jax.block_until_ready(solve(starts, data))


def _ends(work: FlowWorkload, out: tuple[Any, ...], max_steps: int, capped: bool) -> Ends:
    theta, t, steps = (np.asarray(part) for part in out)
    gradient = np.abs(work.at.problem.gradient(theta, n_threads=1)).max(axis=1)
    converged = gradient <= 1.01 * work.gtol
    unfinished = (steps >= max_steps) & ~converged
    if unfinished.any() and not capped:
        raise RuntimeError(f"{unfinished.sum()} runs were not done after {max_steps} steps")
    return Ends(theta, t, converged, f"{steps.mean():.0f} steps", capped)


def candidates(work: FlowWorkload) -> list[FlowPeer]:
    if work.name == "W6":
        return [_extrapolated(work)]
    found = []
    for key, solver, max_steps in (
        ("kvaerno3", diffrax.Kvaerno3(), _MOST_STEPS),
        ("kvaerno5", diffrax.Kvaerno5(), _MOST_STEPS),
        ("tsit5", diffrax.Tsit5(), 500),
    ):
        capped = max_steps < _MOST_STEPS
        run = compiled(work, solver, max_steps)
        found.append(
            FlowPeer(
                f"diffrax-{key}",
                f"diffrax {type(solver).__name__}, jit(vmap)"
                + (f", at most {max_steps} steps" if capped else ""),
                len(work.at.theta),
                lambda run=run, max_steps=max_steps, capped=capped: _ends(
                    work, run(), max_steps, capped
                ),
            )
        )
    return found


def _extrapolated(work: FlowWorkload) -> FlowPeer:
    """Kvaerno5 on W6: a few steps, times the steps of a whole run on fewer samples."""
    few = compiled(work, diffrax.Kvaerno5(), _STEPS)
    needed: list[float] = []

    def run() -> Ends:
        if not needed:
            small = w6(_FEWER)
            _, _, steps = compiled(small, diffrax.Kvaerno5(), _MOST_STEPS)()
            needed.append(float(steps[0]))
        ends = _ends(work, few(), _STEPS, capped=True)
        ends.capped = False
        ends.factor = needed[0] / _STEPS
        ends.counts = f"extrapolated from {_STEPS} to {needed[0]:.0f} steps"
        return ends

    return FlowPeer("diffrax-kvaerno5", "diffrax Kvaerno5, JAX autodiff", 1, run)
