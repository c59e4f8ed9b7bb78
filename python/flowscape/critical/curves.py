"""Sides of a path that cannot be straight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.exponential.chart import ExponentialChart
from flowscape.branches.setting import Setting

Floats = NDArray[np.float64]

__all__ = ["BiasCurve", "Curve", "ExponentialCurve", "Reversed", "ScalingCurve", "arc_lengths"]

_PIECES = 256
_NODES, _FACTORS = np.polynomial.legendre.leggauss(12)


class Curve(Protocol):
    """A smooth curve in parameter space, for t in [0, 1]."""

    def at(self, t: Floats) -> Floats:
        """Return the points (T, P)."""
        ...

    def speed(self, t: Floats) -> Floats:
        """Return the lengths (T,) of the derivatives."""
        ...


@dataclass(frozen=True)
class ScalingCurve:
    """Neurons go through (a e^{rate t}, v e^{-rate t}): a_k v_k does not change.

    Attributes
    ----------
    setting : Setting
        The student.
    outgoing, incoming, constant : ndarray
        (m, O), (m, D) centred, (O,): the start.
    rates : (m,) ndarray
        0 for neurons that stay.
    """

    setting: Setting
    outgoing: Floats
    incoming: Floats
    constant: Floats
    rates: Floats

    def at(self, t: Floats) -> Floats:  # noqa: D102
        grow = np.exp(np.multiply.outer(t, self.rates))[:, :, None]
        constant = np.broadcast_to(self.constant, (len(t), len(self.constant)))
        return self.setting.join(self.outgoing * grow, self.incoming / grow, constant)

    def speed(self, t: Floats) -> Floats:  # noqa: D102
        grow = np.exp(np.multiply.outer(t, self.rates))
        a = np.linalg.norm(self.outgoing, axis=1) * grow
        v = np.linalg.norm(self.incoming, axis=1) / grow
        return np.asarray(np.sqrt(((a**2 + v**2) * self.rates**2).sum(axis=1)))


@dataclass(frozen=True)
class BiasCurve:
    """One neuron with zero input weight keeps its constant a sigma(b) while b changes.

    Attributes
    ----------
    setting : Setting
        The student.
    outgoing, incoming, constant : ndarray
        As in `ScalingCurve`.
    neuron : int
        k.
    end : float
        The last centred bias; sigma has no zero on the way.
    """

    setting: Setting
    outgoing: Floats
    incoming: Floats
    constant: Floats
    neuron: int
    end: float

    def _values(self, t: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        start = float(self.incoming[self.neuron, -1])
        centre = self.setting.centre
        first = self.setting.sigma(np.array([start + centre]))[0]
        made = self.outgoing[self.neuron] * first[0]
        biases = start + t * (self.end - start)
        values, slopes = self.setting.sigma(biases + centre)
        return made, biases, values, slopes

    def at(self, t: Floats) -> Floats:  # noqa: D102
        made, biases, values, _ = self._values(t)
        shape = (len(t), *self.outgoing.shape)
        outgoing = np.broadcast_to(self.outgoing, shape).copy()
        incoming = np.broadcast_to(self.incoming, (len(t), *self.incoming.shape)).copy()
        outgoing[:, self.neuron] = made / values[:, None]
        incoming[:, self.neuron, -1] = biases
        constant = np.broadcast_to(self.constant, (len(t), len(self.constant)))
        return self.setting.join(outgoing, incoming, constant)

    def speed(self, t: Floats) -> Floats:  # noqa: D102
        made, _, values, slopes = self._values(t)
        change = self.end - float(self.incoming[self.neuron, -1])
        a = np.linalg.norm(made) * slopes / values**2
        return np.asarray(np.abs(change) * np.sqrt(1.0 + a**2))


@dataclass(frozen=True)
class ExponentialCurve:
    """All biases change, at fixed a e^{kb}.

    Attributes
    ----------
    chart : ExponentialChart
        The student.
    canonical : (P',) ndarray
        The network without biases.
    start, end : (m,) ndarray
        The biases.
    """

    chart: ExponentialChart
    canonical: Floats
    start: Floats
    end: Floats

    def at(self, t: Floats) -> Floats:  # noqa: D102
        biases = self.start + t[:, None] * (self.end - self.start)
        return self.chart.lift(
            np.broadcast_to(self.canonical, (len(t), len(self.canonical))), biases
        )

    def speed(self, t: Floats) -> Floats:  # noqa: D102
        outgoing = self.chart.setting.split(self.at(t))[0]
        weights = 1.0 + self.chart.rate**2 * (outgoing**2).sum(axis=2)
        return np.asarray(np.sqrt(weights @ (self.end - self.start) ** 2))


@dataclass(frozen=True)
class Reversed:
    """A curve walked the other way."""

    curve: Curve

    def at(self, t: Floats) -> Floats:  # noqa: D102
        return self.curve.at(1.0 - t)

    def speed(self, t: Floats) -> Floats:  # noqa: D102
        return self.curve.speed(1.0 - t)


def arc_lengths(curve: Curve) -> tuple[Floats, Floats]:
    """Return places t and the lengths up to there, from 0 to 1, by Gauss's rule."""
    ends = np.linspace(0.0, 1.0, _PIECES + 1)
    half = 0.5 / _PIECES
    nodes = (ends[:-1] + half)[:, None] + half * _NODES
    speeds = curve.speed(nodes.ravel()).reshape(nodes.shape)
    return ends, np.concatenate([[0.0], np.cumsum(half * (speeds @ _FACTORS))])
