"""Positively homogeneous networks with several outputs, and random solutions of their condition."""

from dataclasses import dataclass

import numpy as np
from homogeneous import Student

from flowscape.branches import branches
from flowscape.problem import Teacher


@dataclass(frozen=True)
class OutputStudent(Student):
    """Several outputs: one network for each, with the same incoming vectors."""

    outputs: int = 2

    @property
    def single(self):
        return Student(self.m, self.d, self.name, self.bias, self.output_bias)

    def places(self, m):
        """Where the parameters of the network of every output are, (O, P of one)."""
        rows = []
        for o in range(self.outputs):
            row = [
                k * self.block + i for k in range(m) for i in (o, *range(self.outputs, self.block))
            ]
            rows.append(row + [m * self.block + o] * self.output_bias)
        return np.array(rows)

    def width_of(self, theta):
        return (theta.shape[-1] - self.outputs * self.output_bias) // self.block

    def value(self, theta, x):
        """Values (..., N, O)."""
        places = self.places(self.width_of(theta))
        return np.stack([self.single.value(theta[..., row], x) for row in places], axis=-1)

    def moments(self, theta, probes):
        values, parts = [], []
        for row in self.places(self.width_of(theta)):
            found, jacobian = self.single.moments(theta[row], probes)
            values.append(found)
            parts.append(np.zeros((len(found), len(theta))))
            parts[-1][:, row] = jacobian
        return np.concatenate(values), np.concatenate(parts)


def output_family(student, neurons, constant=0.0):
    """The family for a target given as rows (a_1, .., a_O, v) and an output bias."""
    rows = np.array(neurons, dtype=float)
    constants = np.broadcast_to(constant, student.outputs) if student.output_bias else []
    theta = np.concatenate([rows.ravel(), constants])
    return branches(student.net(), Teacher(student.net(len(rows)), theta))


def random_components(target, labelled, free, signs, constant, rng, starts=24):
    """The ranks of s_j and of u_j off the mixed labelled lines at random points of a stratum.

    Points are found by Levenberg-Marquardt on the matrix equation from random starts; those that
    belong to a finer or a coarser stratum do not count. Only maximal ranks are components.
    """
    gains = [target.gains[0 if signs[k] > 0 else 1] for k in constant]
    sides = {signs[k] for k, gain in zip(constant, gains, strict=True) if gain != 0.0}
    open_level = target.bias and (target.output_bias or bool(sides))
    if target.linear is None:
        fits = not target.bias or target.output_bias or bool(sides) == target.constant.any()
        return {(0, 0)} if fits else set()
    d = target.linear.shape[1]
    left, columns, weights = target.linear.copy(), [], []
    for t, block in enumerate(labelled):
        if len({signs[k] for k in block}) == 2:
            columns.append(target.lines[t])
            weights.append(target.weights[t])
        else:
            left -= signs[block[0]] * np.outer(target.weights[t], target.lines[t])
    if open_level:
        columns.append(np.eye(d)[-1])
    w = np.array(columns).reshape(-1, d)
    pairs = sum(len({signs[k] for k in block}) == 2 for block in free)
    taken = [*target.lines, *([np.eye(d)[-1]] if target.bias else [])]
    found = set()
    for _ in range(starts if pairs else 1):
        point = solve_pairs(w, pairs, left, rng)
        if point is None:
            continue
        s, q, u = point
        if d > 1:  # on a single line a side with sum 0 has no line of its own to go to
            gaps = [min(norm(one - p), norm(one + p)) for one, p in zip(s, weights, strict=False)]
            if min(gaps, default=1.0) < 1e-5:
                continue
        if len(sides) == 1 and not target.output_bias and norm(s[-1]) < 1e-5:
            continue
        if any(min(norm(q_j), norm(u_j)) < 1e-5 for q_j, u_j in zip(q, u, strict=True)):
            continue
        lines = [*taken]
        for u_j in u:
            lines.append(u_j / norm(u_j))
            if any(min(norm(lines[-1] - o), norm(lines[-1] + o)) < 1e-5 for o in lines[:-1]):
                break
        else:
            off = u @ np.linalg.svd(np.concatenate([w, np.zeros((1, d))]))[2][rank_of(w) :].T
            found.add((rank_of(q), rank_of(off)) if pairs else (0, 0))
    return {
        one
        for one in found
        if not any(one != o and one[0] <= o[0] and one[1] <= o[1] for o in found)
    }


def solve_pairs(w, pairs, left, rng):
    """A random solution s (n, O), q (J, O), u (J, D) of s^T w + q^T u = left (O, D), or None."""
    outputs, d = left.shape
    n = len(w)
    z = rng.normal(size=n * outputs + pairs * (outputs + d))

    def parts(z):
        s, rest = z[: n * outputs].reshape(n, outputs), z[n * outputs :].reshape(pairs, outputs + d)
        return s, rest[:, :outputs], rest[:, outputs:]

    def system(z):
        s, q, u = parts(z)
        rows = [np.kron(np.eye(outputs), line[:, None]) for line in w]
        for q_j, u_j in zip(q, u, strict=True):
            rows += [np.kron(np.eye(outputs), u_j[:, None]), np.kron(q_j[:, None], np.eye(d))]
        return (s.T @ w + q.T @ u - left).ravel(), np.concatenate(
            [*rows, np.zeros((outputs * d, 0))], axis=1
        )

    damping = 1.0
    gap, jacobian = system(z)
    for _ in range(200):
        if norm(gap) < 1e-13 or damping == 1e8 or not len(z):
            break
        step = np.linalg.solve(jacobian.T @ jacobian + damping * np.eye(len(z)), jacobian.T @ gap)
        new = system(z - step)
        if norm(new[0]) < norm(gap):
            z, (gap, jacobian), damping = z - step, new, max(0.1 * damping, 1e-15)
        else:
            damping = min(10.0 * damping, 1e8)
    if norm(gap) > 1e-11:
        return None
    s, q, u = parts(z)
    if not pairs and n:  # anywhere in the affine space
        wild = rng.normal(size=s.shape)
        s = s + wild - np.linalg.pinv(w.T) @ (w.T @ wild)
    return s, q, u


def norm(x):
    return float(np.linalg.norm(x))


def rank_of(matrix):
    values = np.linalg.svd(matrix, compute_uv=False)
    return int((values > 1e-5).sum())
