"""Networks of relu, leaky relu and |z| in plain NumPy: values, and moments that see all of them."""

from dataclasses import dataclass

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.branches.lines.strata import MIXED
from flowscape.problem import Teacher, TwoLayer

TILT = {"relu": (0.5, 0.5), "leaky_relu": (0.495, 0.505), "abs": (1.0, 0.0), "shifted": (0.5, 0.5)}
"""sigma(z) = alpha |z| + lambda z, z from the kink."""
ACTIVATION = {
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "abs": ["relu", {"name": "relu", "s": -1.0}],
    "shifted": [{"name": "relu", "h": 0.5}],
}
SHIFT = {"shifted": 0.5}


def sigma(name, z):
    alpha, slope = TILT[name]
    return alpha * np.abs(z + SHIFT.get(name, 0.0)) + slope * (z + SHIFT.get(name, 0.0))


@dataclass(frozen=True)
class Student:
    """m neurons (a, w) or (a, w, b), then c if there is an output bias; a and c of O outputs."""

    m: int
    d: int
    name: str
    bias: bool = False
    output_bias: bool = False
    outputs: int = 1

    @property
    def block(self):
        return self.outputs + self.d + self.bias

    def net(self, m=None):
        size = self.m if m is None else m
        name = ACTIVATION[self.name]
        return TwoLayer(size, self.d, name, self.bias, self.outputs, self.output_bias)

    def split(self, theta):
        """a (..., m), v (..., m, D) and c (...)."""
        last = theta.shape[-1] - int(self.output_bias)
        rows = theta[..., :last].reshape(*theta.shape[:-1], -1, self.block)
        return rows[..., 0], rows[..., 1:], theta[..., -1] if self.output_bias else 0.0

    def value(self, theta, x):
        """Values (..., N)."""
        a, v, c = self.split(theta)
        bias = v[..., self.d :].sum(axis=-1)[..., None]
        z = v[..., : self.d] @ x.T + bias
        return np.einsum("...k,...kn->...n", a, sigma(self.name, z)) + np.asarray(c)[..., None]

    def moments(self, theta, probes):
        """E F(X) |u.X| over normal X for probes u, and what else there is; with derivatives.

        F(X) is the network, homogeneous of degree 1 in X = x, or X = (x, t) over t > 0 with biases,
        where F(x, 1) is its value. Such averages of |u.X| know all even functions F. Samples would
        not do: between two of them a neuron can turn without being seen. With c the cosine of
        the angle, E |v.X| |u.X| = (2/pi) |v| |u| (sqrt(1 - c^2) + c arcsin c), also over t > 0; and
        E X |u.X| over t > 0 = (2/pi) (|head of u| e + arcsin(u_t / |u|) u).
        """
        alpha, slope = TILT[self.name]
        a, v, constant = self.split(theta)
        v = v.copy()
        if self.bias:
            v[:, -1] += SHIFT.get(self.name, 0.0)
        size, length = np.linalg.norm(v, axis=1), np.linalg.norm(probes, axis=1)
        c = np.clip(probes @ v.T / (length[:, None] * size), -1.0, 1.0)
        sine = np.sqrt(1.0 - c**2)
        kernel = 2 * alpha / np.pi * length[:, None] * size * (sine + c * np.arcsin(c))
        turn = (length[:, None] * sine / size)[:, :, None] * v
        turn += np.arcsin(c)[:, :, None] * probes[:, None]
        turn *= 2 * alpha / np.pi * a[:, None]
        if self.bias:
            mean = np.arcsin(probes[:, -1] / length)[:, None] * probes
            mean[:, -1] += np.linalg.norm(probes[:, :-1], axis=1)
            mean *= 2 / np.pi
        else:
            mean = np.zeros_like(probes)
        linear = slope * (a @ v)
        if self.bias:
            linear[-1] += constant
            extra, into = np.zeros(0), np.zeros((0, len(linear)))
        else:
            extra, into = linear, np.eye(len(linear))
        values = np.concatenate([kernel @ a + mean @ linear, extra])
        mean = np.concatenate([mean, into])
        jacobian = np.zeros((len(values), len(a), self.block))
        jacobian[: len(probes), :, 0], jacobian[: len(probes), :, 1:] = kernel, turn
        jacobian[:, :, 0] += slope * mean @ v.T
        jacobian[:, :, 1:] += slope * mean[:, None] * a[:, None]
        jacobian = jacobian.reshape(len(values), -1)
        if self.output_bias:
            last = mean[:, -1:] if self.bias else np.zeros((len(values), 1))
            jacobian = np.concatenate([jacobian, last], axis=1)
        return values, jacobian

    def probes(self, number, rng):
        return rng.normal(size=(number, self.d + self.bias))

    def solve(self, theta, wanted, probes, steps=150):
        """Levenberg-Marquardt on the moments; the last point and its largest residual."""
        point, damping = theta.copy(), 1.0
        values, jacobian = self.moments(point, probes)
        for _ in range(steps):
            gram = jacobian.T @ jacobian + damping * np.eye(len(point))
            trial = point - np.linalg.solve(gram, jacobian.T @ (values - wanted))
            new = self.moments(trial, probes)
            if np.linalg.norm(new[0] - wanted) < np.linalg.norm(values - wanted):
                point, (values, jacobian), damping = trial, new, max(0.2 * damping, 1e-12)
            else:
                damping = min(5.0 * damping, 1e6)
        return point, np.abs(values - wanted).max()


def family_of(student, neurons, constant=0.0):
    """The family for a target given as rows (a, v) and an output bias."""
    rows = np.array(neurons, dtype=float)
    theta = np.concatenate([rows.ravel(), [constant] * student.output_bias])
    return branches(student.net(), Teacher(student.net(len(rows)), theta))


def fast_and_slow(keys, fast):
    return [key if key in fast else pytest.param(key, marks=pytest.mark.slow) for key in keys]


def some(family, rng, number=8):
    """Representatives of some orbits, and some more branches."""
    picks = [orbit.representative for orbit in family.orbits()]
    if len(picks) > number:
        picks = [picks[int(i)] for i in rng.choice(len(picks), number, replace=False)]
    picks += [family[int(i)] for i in rng.integers(family.count(), size=4)]
    return picks


def smallest_stratum(pattern, free, sides=()):
    """The fewest neurons with these sides of labels, mixed free groups and constants of a sign.

    Returns labelled groups, free ones, constants (all lists of neurons), and signs.
    """
    labelled, signs = [], []
    for side in pattern:
        both = [1, -1] if side == MIXED else [side]
        labelled.append(list(range(len(signs), len(signs) + len(both))))
        signs += both
    groups = [[len(signs) + 2 * j, len(signs) + 2 * j + 1] for j in range(free)]
    signs += [1, -1] * free
    still = list(range(len(signs), len(signs) + len(sides)))
    return labelled, groups, still, [*signs, *sides]


def generic_point_exists(target, labelled, free, signs, constant, rng):
    """Decide by a random solution of the linear condition whether a stratum has a point.

    Unknown are the linear parts of the mixed groups, and what constants make. At a random solution
    no labelled part may be that of a uniform group, no free part 0, no two lines equal, and
    constant neurons may be neither silent nor a limit of a group on a line.
    """
    gains = [target.gains[0 if signs[k] > 0 else 1] for k in constant]
    sides = {signs[k] for k, gain in zip(constant, gains, strict=True) if gain != 0.0}
    open_level = target.bias and (target.output_bias or bool(sides))
    if target.linear is None:
        if not target.bias or target.output_bias:
            return True
        return bool(sides) == (target.constant[0] != 0.0)
    d, weights = target.lines.shape[1], target.weights[:, 0]
    left, columns, checks = target.linear[0].copy(), [], []
    for t, block in enumerate(labelled):
        if len({signs[k] for k in block}) == 2:
            columns.append(target.lines[t][:, None])
            checks.append(t)
        else:
            left -= signs[block[0]] * weights[t] * target.lines[t]
    mixed = [block for block in free if len({signs[k] for k in block}) == 2]
    columns += [np.eye(d)] * len(mixed) + [np.eye(d)[:, -1:]] * open_level
    matrix = np.concatenate(columns, axis=1) if columns else np.zeros((d, 0))
    point = np.linalg.lstsq(matrix, left, rcond=1e-9)[0] if matrix.size else np.zeros(0)
    if np.linalg.norm(matrix @ point - left) > 1e-9:
        return False
    wild = rng.normal(size=len(point))
    if matrix.size:
        wild -= np.linalg.lstsq(matrix, matrix @ wild, rcond=1e-9)[0]
    point = point + wild
    for value, t in zip(point, checks, strict=False):
        # on a single line (d = 1) a side with sum 0 has no line of its own to go to
        if d > 1 and abs(abs(value) - abs(weights[t])) < 1e-7:
            return False
    if sides and not target.output_bias and abs(point[-1]) < 1e-7 and len(sides) == 1:
        return False
    lines = [*target.lines, *([np.eye(d)[-1]] if target.bias else [])]
    for v in point[len(checks) : len(point) - open_level].reshape(-1, d):
        if np.linalg.norm(v) < 1e-7:
            return False
        unit = v / np.linalg.norm(v)
        if any(min(np.linalg.norm(unit - u), np.linalg.norm(unit + u)) < 1e-7 for u in lines):
            return False
        lines.append(unit)
    return True
