"""Write cases_*.npz: flows that are hard to judge, with truths that do not come from the core.

    python tests/adversarial/make_cases.py [GROUP ...]

Truths are read off 80-bit integrations (extended.py), or hold by construction; where neither gives
one the case is dropped, whatever the engine would say. About 15 minutes for all groups.
"""

import sys
from pathlib import Path

import numpy as np
from extended import LONG, follow, gradient, hessian, loss
from scipy.optimize import brentq

T_END = LONG(1e12)
ONE = np.array([1.0, 1.0, 1.0])  # the target neuron of Single Neuron, example 1
PERFECT, MINIMUM, SADDLE, INFINITY = 0, 3, 4, 6  # codes of flowscape.Kind


def target(x, neurons=ONE):
    parts = np.reshape(neurons, (-1, 3)).astype(LONG)
    return (parts[:, 0] * np.tanh(x.astype(LONG) * parts[:, 1] + parts[:, 2])).sum(axis=1)


def branch_of(theta):
    """Name the branch of a perfect limit of two neurons for one, or '' if it is not clear."""
    parts = theta.reshape(2, 3).astype(float)
    order = np.argsort(-np.abs(parts[:, 0]))
    (_, *v1), (a2, *v2) = parts[order]
    v1, v2 = np.array(v1), np.array(v2)
    if v1 @ v2 < 0.0:
        v2, a2 = -v2, -a2
    apart = np.sum((v1 - v2) ** 2)
    if abs(a2) > 1e-3 and apart < 0.04 * a2**2:
        return "both"
    if abs(a2) < 1e-7 and apart > 400.0 * a2**2 and v2 @ v2 > 1e-6:
        return "one"
    return ""


class Cases:
    def __init__(self):
        self.rows = []

    def add(self, group, x, y, start, kind, branch="", limit=None, teacher=None):
        self.rows.append((group, x, y, start, kind, branch, limit, teacher))

    def save(self, path):
        width = max(len(np.atleast_1d(row[3])) for row in self.rows)
        most = max(len(row[1]) for row in self.rows)
        count = len(self.rows)
        x, y = np.full((count, most), np.nan), np.full((count, most), np.nan)
        start, limit = np.full((count, width), np.nan), np.full((count, width), np.nan)
        teacher = np.full((count, 6), np.nan)
        for k, (_, xs, ys, theta, _, _, end, truth) in enumerate(self.rows):
            x[k, : len(xs)], y[k, : len(xs)] = xs, ys
            start[k, : len(theta)] = theta
            if end is not None:
                limit[k, : len(end)] = end
            if truth is not None:
                teacher[k, : len(truth)] = truth
        np.savez_compressed(
            path, x=x, y=y, start=start, limit=limit, teacher=teacher,
            group=np.array([row[0] for row in self.rows]),
            kind=np.array([row[4] for row in self.rows], dtype=np.int8),
            branch=np.array([row[5] for row in self.rows]),
        )  # fmt: skip


def perfect_cases(cases, group, x, starts, wanted, most, tolerance=1e-10):
    """Keep starts whose 80-bit flow clearly ends on one of the wanted branches."""
    y = target(x[:, None])
    ends = follow(starts, x[:, None], y, T_END, tolerance)
    kept = 0
    for start, end in zip(starts, ends, strict=True):
        branch = branch_of(end)
        if branch in wanted and loss(end, x[:, None], y) < 1e-14 and kept < most:
            cases.add(group, x, y, start, PERFECT, branch, end, ONE)
            kept += 1
    print(group, len(x), "kept", kept, "of", len(starts), flush=True)


def tails(cases, rng):
    even = (np.linspace(-2, 2, 6), np.linspace(-2, 2, 5), np.linspace(-1, 2, 7))
    for x in (*even, rng.normal(size=8)):
        starts = np.tile([0.5, 1.0, 1.0], 2) + 0.35 * rng.normal(size=(100, 6))
        perfect_cases(cases, "tail", x, starts, ("both",), 60)


def imbalanced(x, ratio, alpha=1e-6):
    """Starts alpha (c, 1) times the leading eigenvector of each neuron: (R, 6)."""
    y = target(x[:, None])
    curvature = -hessian(np.zeros((1, 6)), x[:, None][None], y[None])[0]
    vector = np.linalg.eigh(curvature[:3, :3])[1][:, -1]
    return alpha * np.concatenate(
        [np.outer(ratio, vector), np.broadcast_to(vector, (len(ratio), 3))], axis=1
    )


def invariant(end):
    """|v_2 - v_1|^2 - 4 a_2^2, over the sum of its terms: negative on the way to `both`."""
    parts = end.reshape(2, 3)
    small = np.argmin(np.abs(parts[:, 0]))
    apart = np.sum((parts[0, 1:] - parts[1, 1:]) ** 2)
    four = 4 * parts[small, 0] ** 2
    return float((apart - four) / (apart + four))


def demarcation(cases, rng):
    for n in (5, 6, 7, 8):
        x = np.linspace(-2, 2, n)
        y = target(x[:, None])
        low, high = 0.05, 1.0  # the smaller neuron over the larger one
        for _ in range(4):
            grid = np.linspace(low, high, 20)
            ends = follow(imbalanced(x, grid), x[:, None], y, LONG(1e9), 1e-10)
            both = np.array([invariant(end) < 0.0 for end in ends])
            first = int(np.argmax(both))
            low, high = grid[first - 1], grid[first]
        border = 0.5 * (low + high)
        delta = 10.0 ** rng.uniform(-4, -2, 40)
        side = np.where(np.arange(40) % 2, 1.0, -1.0)
        ratio = border * (1.0 + side * delta)
        for start, s in zip(imbalanced(x, ratio), side, strict=True):
            branch = "both" if s > 0 else "one"
            cases.add("demarcation", x, y, start, PERFECT, branch, None, ONE)
        print("demarcation", n, border, high - low, flush=True)


def saturation(cases, rng):
    """Targets -1 and 1, which tanh reaches at infinity only: w grows like log t."""
    for _ in range(9):
        x = np.concatenate([-rng.uniform(0.3, 2, 3), rng.uniform(0.3, 2, 3)])
        y = np.sign(x).astype(LONG)
        starts = np.array([1.0, 1.5, 0.0]) + 0.2 * rng.normal(size=(12, 3))
        early, late = (follow(starts, x[:, None], y, LONG(t), 1e-10) for t in (1e6, 1e9))
        for start, one, two in zip(starts, early, late, strict=True):
            if two[1] > one[1] + 0.5 and loss(two, x[:, None], y) < loss(one, x[:, None], y) / 100:
                cases.add("escape", x, y, start, INFINITY)
        print("saturation", len(cases.rows), flush=True)


def settled(end, x, y):
    """Kind of a positive-loss limit by its spectrum, or None if that does not decide."""
    if np.abs(gradient(end, x, y)).max() > 1e-15:
        return None
    values = np.linalg.eigvalsh(hessian(end[None], x[None], y[None])[0])
    if np.abs(values).min() < 1e-6:
        return None
    return MINIMUM if values[0] > 0.0 else SADDLE


def saddles(cases, rng):
    """Starts beside the symmetry-induced saddles of two neurons for a target of two."""
    for _ in range(8):
        x = np.sort(rng.uniform(-2.5, 2.5, 9))
        truth = np.array([1.0, 1.2, 0.5, -1.0, 0.5, -0.8]) + 0.2 * rng.normal(size=6)
        y = target(x[:, None], truth)
        one = follow(truth[:3][None], x[:, None], y, LONG(1e8), 1e-10)[0]  # best single neuron
        if settled(one, x[:, None], y) != MINIMUM:
            continue
        for share in (0.5, 0.3):
            split = np.concatenate([one, one])
            split[[0, 3]] *= [share, 1.0 - share]
            values = np.linalg.eigvalsh(hessian(split[None], x[:, None][None], y[None])[0])
            if values[0] > -1e-3:
                continue
            size = 10.0 ** rng.uniform(-9, -3, 8)
            unit = rng.normal(size=(8, 6))
            starts = (split + size[:, None] * unit / np.linalg.norm(unit, axis=1)[:, None]).astype(
                float
            )
            ends = follow(starts, x[:, None], y, LONG(1e9), 1e-11)
            for start, end in zip(starts, ends, strict=True):
                if np.abs(end).max() > 50.0:
                    continue
                if loss(end, x[:, None], y) < 1e-30:
                    cases.add("saddle", x, y, start, PERFECT, "", end, truth)
                else:
                    kind = settled(end, x[:, None], y)
                    if kind is not None:
                        cases.add("saddle", x, y, start, kind, "", end, truth)
        print("saddle", len(cases.rows), flush=True)


def condition(x):
    """Of the matrix (sigma, sigma' x, sigma') of the target neuron at the samples."""
    s = np.tanh(x + 1.0)
    values = np.linalg.svd(np.stack([s, (1 - s**2) * x, 1 - s**2], axis=1), compute_uv=False)
    return values[0] / values[-1]


def ill_conditioned(cases, rng):
    """Six samples in a short interval; the condition of the target's own neuron is beyond 1e6.

    The starts are perfect networks, so the flow stays where it is: truths by construction.
    """
    for k in range(6):
        unit = np.linspace(-1, 1, 6) + 0.1 * rng.normal(size=6)
        place, wanted = rng.uniform(-0.5, 0.5), 10.0 ** (6.05 + 0.3 * k)
        width = brentq(lambda w: condition(place + w * unit) - wanted, 1e-5, 1.0)  # noqa: B023
        x = place + width * unit
        y = target(x[:, None])
        both = np.array([0.25, 1.0, 1.0, 0.75, 1.0, 1.0])
        one = np.array([1.0, 1.0, 1.0, 0.0, *rng.uniform(0.3, 0.8, 2)])
        for start, branch in ((both, "both"), (one, "one"), (one[[3, 4, 5, 0, 1, 2]], "one")):
            cases.add("condition", x, y, start, PERFECT, branch, None, ONE)
        print("condition", condition(x), width, len(cases.rows), flush=True)


GROUPS = (tails, demarcation, saturation, saddles, ill_conditioned)

if __name__ == "__main__":
    for number, fill in enumerate(GROUPS):
        if len(sys.argv) == 1 or fill.__name__ in sys.argv[1:]:
            cases = Cases()
            fill(cases, np.random.default_rng([20261122, number]))
            cases.save(Path(__file__).with_name(f"cases_{fill.__name__}.npz"))
