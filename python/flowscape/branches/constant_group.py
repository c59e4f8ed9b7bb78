"""The constant group: neurons with zero input weight, which together make the constant part.

All functions work on a batch of points given by the group's own coordinates: outgoing (B, q, O),
centred incoming (B, q, D) and the slack (B, O): the output bias, which is 0 where there is none,
or in a coupled family all that can take up a constant (`coupling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.groups import add_up, squared_norm
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import CURVED, EMPTY, LEVEL, OPEN, SHEET, SILENT, ZEROS, Variant

Floats = NDArray[np.float64]

_STEPS = 60
_DAMPING = 1e-3
_GAIN = 1e-12  # relative decrease of the squared distance that ends the search
_ROUNDING = 1e-16  # relative error of a distance from a point of norm 1
_FLAT = 1e-40  # sum of sigma(b_k)^2 below which all b_k are zeros


class Point(NamedTuple):
    """Coordinates of a constant group: outgoing, centred incoming, slack."""

    outgoing: Floats
    incoming: Floats
    constant: Floats


@dataclass(frozen=True)
class ConstantGroup:
    """One constant group of one branch.

    Attributes
    ----------
    setting : Setting
        The student.
    kind : str
        See `shapes.ConstantType`.
    variant : tuple of float
        The zeros of the neurons in order, or the interval of b.
    target : (O,) ndarray
        C0.
    slack : float, optional
        Moving the slack by y costs the squared distance |y|^2 / slack; 0: there is none. By
        default 1 with an output bias, else 0.
    """

    setting: Setting
    kind: str
    variant: Variant
    target: Floats
    slack: float | None = None

    @property
    def _slack(self) -> float:
        return float(self.setting.output_bias) if self.slack is None else self.slack

    @property
    def is_free(self) -> bool:
        """Whether something outside of the group takes up any constant that it makes."""
        return self._slack > 0.0

    @property
    def is_affine(self) -> bool:
        """Whether the equations are linear."""
        return self.kind not in (SHEET, CURVED)

    def codim(self, size: int) -> int:
        """Return the number of equations for `size` neurons, that of the slack included."""
        s = self.setting
        if self.kind == ZEROS:
            return size * s.incoming
        outputs = s.outputs
        if self.kind in (EMPTY, SILENT, OPEN) and not self._slack:
            outputs = 0
        return size * s.inputs + outputs

    def project(self, point: Point) -> Point:
        """Return the nearest point of the group's set.

        For a curved set this is a local search from `point`: a member of the set whose
        distance is an upper bound, and the true one near the set.
        """
        s = self.setting
        outgoing, incoming, constant = point.outgoing, point.incoming.copy(), point.constant
        incoming[:, :, : s.inputs] = 0.0
        if self.kind in (SHEET, CURVED):
            return self._project_curved(Point(outgoing, incoming, constant))
        if self.kind == ZEROS:
            incoming[:, :, -1] = np.asarray(self.variant) - s.centre
        elif self.kind == LEVEL:
            size = outgoing.shape[1]
            gap = constant + s.at_zero * add_up(outgoing) - self.target
            step = gap / (self._slack + size * s.at_zero**2)
            outgoing = outgoing - s.at_zero * step[:, None, :]
            constant = constant - self._slack * step
        elif self._slack:
            constant = np.broadcast_to(self.target, constant.shape)
        return Point(outgoing, incoming, constant)

    def bounds(self, point: Point) -> tuple[Floats, Floats]:
        """Return bounds (B,) on the squared distance that `project` finds to a curved set."""
        flat = point.incoming.copy()
        flat[:, :, : self.setting.inputs] = 0.0
        lower = squared_norm(point.incoming - flat)
        start = Point(point.outgoing, flat, point.constant)
        return lower, lower + self._cost(start, self._start(start))

    def residual(self, point: Point) -> Floats:
        """Return c + sum a sigma(b) - C0, shape (B, O)."""
        values, _ = self._values(point.incoming)
        return -self._gap(point, values)

    def residual_jacobian(self, point: Point) -> tuple[Floats, Floats]:
        """Return the derivative of `residual`: sigma(b_k) (B, q) for a, a_k sigma'(b_k) for b."""
        values, slopes = self._values(point.incoming)
        return values, point.outgoing * slopes[:, :, None]

    def sample(self, rng: np.random.Generator, size: int, constant: Floats | None = None) -> Point:
        """Return one random member, batch axis of length 1; near a given slack (1, O)."""
        s = self.setting
        outgoing = rng.normal(size=(1, size, s.outputs))
        incoming = np.zeros((1, size, s.incoming))
        if self.kind == SHEET:
            incoming[0, 0, -1] = self._inside(rng.normal(scale=1.0)) - s.centre
        elif self.kind in (CURVED, OPEN):
            incoming[0, :, -1] = rng.normal(size=size)
        if constant is None:
            constant = np.zeros((1, s.outputs))
            if self._slack:
                constant = constant + rng.normal(size=s.outputs)
        point = Point(outgoing, incoming, constant)
        if self.kind in (SHEET, CURVED):
            return self._lift(point, incoming[:, :, -1])
        return self.project(point)

    def _values(self, incoming: Floats) -> tuple[Floats, Floats]:
        return self._sigma(incoming[:, :, -1])

    def _sigma(self, biases: Floats) -> tuple[Floats, Floats]:
        """Return sigma and sigma' at centred biases."""
        values, slopes = self.setting.activation.compiled_values(biases + self.setting.centre, 1)
        return values, slopes

    def _inside(self, b: float) -> float:
        """Return b, or a point of the open interval near it."""
        low, high = self.variant[0], self.variant[1]
        if low < b < high:
            return b
        width = min(1.0, high - low)
        return low + 0.5 * width if b <= low else high - 0.5 * width

    # For given biases the equation is linear in (a, c): the nearest (a, c) is explicit. What
    # is left is a least-squares problem in the biases alone (variable projection).

    def _lift(self, point: Point, biases: Floats) -> Point:
        """Return the nearest member with the given centred biases (B, q)."""
        values, _ = self._sigma(biases)
        ratio = self._gap(point, values) / np.maximum(self._norm2(values), _FLAT)[:, None]
        incoming = np.zeros_like(point.incoming)
        incoming[:, :, -1] = biases
        constant = point.constant + self._slack * ratio
        return Point(point.outgoing + values[:, :, None] * ratio[:, None, :], incoming, constant)

    def _gap(self, point: Point, values: Floats) -> Floats:
        return self.target - point.constant - add_up(point.outgoing * values[:, :, None])

    def _norm2(self, values: Floats) -> Floats:
        return squared_norm(values) + self._slack

    def _cost(self, point: Point, biases: Floats) -> Floats:
        values, _ = self._sigma(biases)
        norm2 = self._norm2(values)
        moved = squared_norm(biases - point.incoming[:, :, -1])
        lifted = squared_norm(self._gap(point, values)) / np.maximum(norm2, _FLAT)
        cost = np.where(norm2 > _FLAT, moved + lifted, np.inf)
        return np.where(self._in_interval(biases), cost, np.inf)

    def _in_interval(self, biases: Floats) -> NDArray[np.bool_]:
        if self.kind != SHEET:
            return np.ones(len(biases), dtype=bool)
        b = biases[:, 0] + self.setting.centre
        return (b > self.variant[0]) & (b < self.variant[1])

    def _project_curved(self, point: Point) -> Point:
        biases = self._start(point)
        cost = self._cost(point, biases)
        damping = np.full(len(cost), _DAMPING)
        rounding = _ROUNDING**2 * sum((squared_norm(part) for part in point), np.zeros(len(cost)))
        active = (cost > rounding) & np.isfinite(cost)
        for _ in range(_STEPS):
            rows = np.flatnonzero(active)
            if len(rows) == 0:
                break
            local = Point(*(part[rows] for part in point))
            trial = biases[rows] + self._step(local, biases[rows], damping[rows])
            new = self._cost(local, trial)
            better = new < cost[rows]
            least = _GAIN * cost[rows] + 8.0 * np.sqrt(cost[rows] * rounding[rows])
            settled = np.abs(cost[rows] - new) <= least
            biases[rows[better]], cost[rows[better]] = trial[better], new[better]
            damping[rows] *= np.where(better, 0.1, 10.0)
            active[rows] = ~settled & (better | (damping[rows] < 1e8))
            active[rows] &= cost[rows] > rounding[rows]
        return self._with_zeros(point, self._lift(point, biases), cost)

    def _start(self, point: Point) -> Floats:
        """Return biases with finite cost: the given ones, or inside the interval."""
        biases = point.incoming[:, :, -1].copy()
        if self.kind == SHEET:
            low, high = (end - self.setting.centre for end in self.variant)
            offsets = np.array([1e-2, 0.1, 0.3, 1.0, 3.0])
            offered = np.concatenate([low + offsets, high - offsets, self._middle()])
            offered = offered[np.isfinite(offered) & (offered > low) & (offered < high)]
            tries = [biases, *(np.full_like(biases, b) for b in offered)]
            costs = np.stack([self._cost(point, one) for one in tries])
            best: Floats = np.stack(tries)[np.argmin(costs, axis=0), np.arange(len(biases))]
            return best
        values, _ = self._sigma(biases)
        biases[self._norm2(values) <= _FLAT] += 1e-3
        return biases

    def _middle(self) -> list[float]:
        """Return the centred middle of a bounded interval."""
        low, high = self.variant[0], self.variant[1]
        bounded = np.isfinite(low) and np.isfinite(high)
        return [0.5 * (low + high) - self.setting.centre] if bounded else []

    def _step(self, point: Point, biases: Floats, damping: Floats) -> Floats:
        """Return the damped Gauss-Newton step of (b - b0, gap/norm) in b."""
        values, slopes = self._sigma(biases)
        norm2 = self._norm2(values)[:, None, None]
        norm = np.sqrt(norm2)
        gap = self._gap(point, values)[:, None, :]
        slope = slopes[:, :, None]
        # (B, q, O): the transposed Jacobian J of gap/norm
        jacobian = -slope * (point.outgoing / norm + gap * values[:, :, None] / (norm * norm2))
        scale = 1.0 + damping[:, None] * (1.0 + add_up(jacobian.swapaxes(1, 2) ** 2))
        moved = (biases - point.incoming[:, :, -1]) / scale
        # The step solves (J^T J + scale) step = -(b - b0 + J^T gap/norm). Solved in the space of
        # outputs, as near a common zero of all sigma(b_k) J is so large that `scale` is lost.
        scaled = jacobian / scale[:, :, None]
        right = gap[:, 0] / norm[:, 0] - add_up(jacobian * moved[:, :, None])
        if right.shape[1] == 1:
            dual = right / (1.0 + add_up(jacobian * scaled))
        else:
            gram = np.eye(right.shape[1]) + np.swapaxes(jacobian, 1, 2) @ scaled
            dual = (np.linalg.pinv(gram, rcond=1e-15, hermitian=True) @ right[:, :, None])[:, :, 0]
        return -(moved + add_up((scaled * dual[:, None, :]).swapaxes(1, 2)))

    def _with_zeros(self, point: Point, found: Point, cost: Floats) -> Point:
        """Return `found`, or the nearest point where every b is a zero, if that is nearer.

        Such points belong to the closure of the curved set if C0 = 0, there is no output
        bias and q > O; the search in b cannot reach them, as its cost jumps there.
        """
        s = self.setting
        size = point.outgoing.shape[1]
        if self._slack or np.any(self.target) or size <= s.outputs or not s.zeros:
            return found
        zeros = np.asarray(s.zeros) - s.centre
        b = point.incoming[:, :, -1]
        nearest = zeros[np.argmin(np.abs(b[:, :, None] - zeros), axis=2)]
        use = ~(cost <= squared_norm(b - nearest))
        incoming = found.incoming.copy()
        incoming[use, :, -1] = nearest[use]
        outgoing = np.where(use[:, None, None], point.outgoing, found.outgoing)
        return Point(outgoing, incoming, found.constant)
