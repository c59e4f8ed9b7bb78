"""Theorem 1, Equation (2) and the linearised flow: small starts follow C (section 5.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, between, compare
from flowscape.papers.single_neuron_target.ledger import STATEMENTS
from flowscape.papers.single_neuron_target.origin import Origin
from flowscape.papers.single_neuron_target.statements.small_starts import (
    ALPHAS,
    Case,
    aligned,
    cases,
    exponent,
    follow,
)

Floats = NDArray[np.float64]

# Times in units of 1 / mu_1 at which the flows are compared: the early phase and well after it.
_TIMES = np.array([-1.0, 0.0, 1.5])
# A flow that has a limit comes nearer to it with this power of alpha at least; without a limit the
# power is 0.
_CONVERGES = 0.25


def _exponents(one: Case, other: Floats, rate: float, shift: float = 0.0) -> tuple[float, float]:
    """Return how fast two families of flows meet: the power of alpha, and the last distance.

    The first starts at alpha theta of the case, the second at alpha `other`, at times later by
    `shift`.
    """
    t = _TIMES / one.origin.rate
    alphas = ALPHAS[:-1]
    first = aligned(one.prob, one.theta, rate, t, alphas)
    second = aligned(one.prob, other, rate, t + shift, alphas)
    gaps = np.abs(first - second).max(axis=(1, 2))
    return exponent(gaps, alphas), float(gaps[-1])


def _meet(powers: list[float], printed: list[float], **evidence: Any) -> Finding:
    """Return the finding that families of flows meet, by the least power of alpha."""
    return between(
        _CONVERGES,
        min(powers),
        np.inf,
        predicted="power of alpha > 0",
        instances=len(powers),
        as_printed=min(printed),
        **evidence,
    )


@STATEMENTS.measured(
    "theorem-1-i",
    "Theorem 1 (i)",
    "lim phi(alpha theta, t + log(1/alpha)/|gamma|) exists as alpha -> 0",
    correction="the time shift is log(1/alpha)/(|sigma'(0)| |gamma|); with the printed one the "
    "limit is a rest point where |sigma'(0)| != 1: 0, or the end of the flow",
    mutation={"factor": 2.0},
    mutation_says="the rate in the time shift is doubled",
)
def theorem_1_i(factor: float = 1.0) -> Finding:
    """Compare flows from alpha theta with the one from 1e-9 theta, for ever smaller alpha.

    The distance is taken relative to how far the flow moves between the times compared: where h
    is a rest point it has no meaning to be near it.
    """
    powers, printed, excess = [], [], []
    for case in cases():
        t = _TIMES / case.origin.rate

        def power(rate: float, case: Case = case, t: np.ndarray = t) -> float:
            h = aligned(case.prob, case.theta, rate, t)
            moved = np.abs(h[:-1, -1] - h[:-1, 0]).max(axis=1)
            return exponent(np.abs(h[:-1] - h[-1]).max(axis=(1, 2)) / moved, ALPHAS[:-1])

        powers.append(power(factor * case.origin.rate))
        mu, nu = case.origin.rate, case.origin.second_rate
        excess.append(powers[-1] - (mu - nu) / (2 * mu - nu))
        if abs(case.origin.slope) != 1.0:
            printed.append(power(case.origin.norm))
    return _meet(powers, printed, least_excess_over_proven_power=min(excess))


def _same_imbalance(case: Case, sign: float, factor: float = 1.0) -> np.ndarray:
    """Return another start with `factor` times the C of the case, C taken with this sign."""
    rng = np.random.default_rng(len(case.theta))
    other = rng.normal(size=case.theta.shape).reshape(case.prob.net.width, -1)
    own = case.theta.reshape(other.shape)
    gamma = case.origin.gamma
    vector = np.concatenate([[case.origin.norm], sign * gamma])
    unit = vector / np.linalg.norm(vector)
    other += np.outer(factor * own @ unit - other @ unit, unit)
    return other.ravel()


@STATEMENTS.measured(
    "theorem-1-ii",
    "Theorem 1 (ii)",
    "h(theta, t) is determined by C(theta), C_i = a_i |gamma| + w_i.gamma",
    correction="C_i = a_i |gamma| + sign(sigma'(0)) w_i.gamma",
    mutation={"sign": -1.0},
    mutation_says="the sign of w_i.gamma in C is reversed",
)
def theorem_1_ii(sign: float = 1.0) -> Finding:
    """Compare flows from two starts with the same C."""
    powers, printed = [], []
    for case in cases():
        rate = case.origin.rate
        other = _same_imbalance(case, sign * case.origin.sign)
        powers.append(_exponents(case, other, rate)[0])
        if case.origin.sign < 0:
            printed.append(_exponents(case, _same_imbalance(case, 1.0), rate)[0])
    return _meet(powers, printed)


@STATEMENTS.measured(
    "theorem-1-iii",
    "Theorem 1 (iii)",
    'the trajectory is determined by C/|C|; "that is, C(theta_1) = C(theta_2) gives the same one"',
    correction="C(theta_1) = s C(theta_2) with s > 0 gives the same trajectory, at times shifted "
    "by log(s)/mu_1",
    mutation={"power": 2.0},
    mutation_says="the time shift is log(s^2)/mu_1",
)
def theorem_1_iii(power: float = 1.0) -> Finding:
    """Compare flows whose C differ by a factor; the printed case is the factor 1."""
    powers, printed = [], []
    for k, case in enumerate(cases()):
        rate, factor = case.origin.rate, (0.2, 3.0, 4.0)[k % 3]
        other = _same_imbalance(case, case.origin.sign, factor)
        powers.append(_exponents(case, other, rate, -power * np.log(factor) / rate)[0])
        printed.append(_exponents(case, _same_imbalance(case, case.origin.sign), rate)[0])
    return _meet(powers, printed)


@STATEMENTS.measured(
    "equation-2",
    "Equation (2)",
    "a_i(t) ~ C_i/(2|gamma|) e^{|gamma| t}, w_i(t) ~ C_i gamma/(2|gamma|^2) e^{|gamma| t}",
    correction="with mu_1 = |sigma'(0)| |gamma| in the exponent, and sign(sigma'(0)) before gamma",
    mutation={"coefficient": 1.0},
    mutation_says="the coefficient is C_i/|gamma|, without the 2",
)
def equation_2(coefficient: float = 0.5) -> Finding:
    """Compare the flow with Equation (2) when it has grown from 1e-12 to about 1e-6."""
    worst, instances, printed = 0.0, 0, 0.0
    for case in cases():
        o = case.origin
        t = np.array([np.log(1e6) / o.rate])
        theta = follow(case.prob, 1e-12 * case.theta, t, rtol=1e-9)[0].reshape(
            case.prob.net.width, -1
        )
        c = 1e-12 * o.imbalance(case.theta)

        def gap(
            rate: float,
            sign: float,
            factor: float = coefficient,
            o: Origin = o,
            c: Floats = c,
            t: Floats = t,
            theta: Floats = theta,
        ) -> float:
            a = factor * c / o.norm * np.exp(rate * t[0])
            w = a[:, None] * sign * o.gamma / o.norm
            said = np.concatenate([a[:, None], w], axis=1)
            return float(np.abs(theta - said).max() / np.abs(theta).max())

        worst = max(worst, gap(o.rate, o.sign))
        if o.slope != 1.0:
            printed = max(printed, gap(o.norm, 1.0, factor=0.5))
        instances += 1
    # the start's kernel part has shrunk by 1e-6, nonlinear terms are of order 1e-6
    return compare(
        0.0,
        worst,
        1e-4,
        instances=instances,
        as_printed=printed,
    )


@STATEMENTS.measured(
    "hessian-at-0",
    "Proof of Theorem 1, also of Theorem 2",
    "-Hess l(0) is block diagonal with blocks [[0, gamma'], [gamma, 0]], largest eigenvalue "
    "|gamma| with eigenvector (|gamma|, gamma)",
    correction="blocks sigma'(0) [[0, gamma'], [gamma, 0]], eigenvalue |sigma'(0)| |gamma|, "
    "eigenvector (|gamma|, sign(sigma'(0)) gamma)",
    mutation={"factor": -1.0},
    mutation_says="the sign of the blocks is reversed",
)
def hessian_at_0(factor: float = 1.0) -> Finding:
    """Compare with the computed Hessian at the origin."""
    worst, printed, instances = 0.0, 0.0, 0
    for case in cases():
        net, o = case.prob.net, case.origin
        hessian = -case.prob.hessian(np.zeros(net.n_params))
        block = np.zeros((len(o.gamma) + 1,) * 2)
        block[0, 1:] = block[1:, 0] = o.gamma
        whole = np.kron(np.eye(net.width), block)
        worst = max(worst, float(np.abs(hessian - factor * o.slope * whole).max() / o.norm))
        printed = max(printed, float(np.abs(hessian - whole).max() / o.norm))
        top = np.linalg.eigvalsh(hessian)[-1]
        worst = max(worst, abs(top - o.rate) / o.norm)
        vector = np.concatenate([[o.norm], o.sign * o.gamma])
        worst = max(
            worst,
            float(
                np.abs(hessian[: len(vector), : len(vector)] @ vector - o.rate * vector).max()
                / o.norm**2
            ),
        )
        instances += 1
    return compare(
        0.0,
        worst,
        1e-13,
        instances=instances,
        as_printed=printed,
    )


@STATEMENTS.measured(
    "odd-sign",
    "Section 5.1, after Theorem 1",
    "sigma odd: reversing the sign of C reflects the trajectory at the origin",
    mutation={"activation": "exp(z)-1"},
    mutation_says="the activation is exp(z)-1, which is not odd",
)
def odd_sign(activation: str = "") -> Finding:
    """Compare the flows from theta and -theta."""
    odd = ("tanh(z)", "tanh(2z)", "tanh(-3z/2)", "sin(z)", "z/(1+z^2)")
    worst, instances = 0.0, 0
    for case in cases((activation,) if activation else odd):
        t = (_TIMES + np.log(1e3)) / case.origin.rate
        plus, minus = (follow(case.prob, s * 1e-3 * case.theta, t) for s in (1.0, -1.0))
        worst = max(worst, float(np.abs(plus + minus).max() / np.abs(plus).max()))
        instances += 1
    return compare(0.0, worst, 1e-12, instances=instances)
