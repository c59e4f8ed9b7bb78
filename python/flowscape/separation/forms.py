"""Have quadratic forms a common real root? Three certificates, otherwise no answer.

The forms are symmetric matrices (s, k, k), each known up to `error` in spectral norm.

- A definite member of the pencil sum_j y_j Q_j: no common root.
- Interval exclusion on the projective space, for few variables: no common root.
- Newton's method from random starts with the test of Kantorovich: a root is near, and the gradients
  of the forms are linearly independent there (a *regular* root).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.separation.features import EPS

__all__ = ["FormsAnswer", "Roots", "common_root", "root_of_indefinite"]

Floats = NDArray[np.float64]

_STARTS = 40
_NEWTON = 12
_ASCENT = 300
_BOXES = 20_000
MOST_VARIABLES: int = 4
"""Largest number of variables for interval exclusion."""


class Roots(enum.IntEnum):
    """What is known of the common real roots of forms, apart from 0."""

    UNKNOWN = 0
    NONE_DEFINITE = 1
    NONE_EXCLUDED = 2
    REGULAR = 3


@dataclass(frozen=True)
class FormsAnswer:
    """Answer of `common_root`.

    Attributes
    ----------
    roots : Roots
    root : (k,) ndarray or None
        A unit vector near a regular root.
    margin : float
        Certified room: smallest eigenvalue of the definite member beyond its error, 1/2 minus the
        Kantorovich number of the root, or 0.
    """

    roots: Roots
    root: Floats | None
    margin: float


def common_root(forms: Floats, error: float, rng: np.random.Generator) -> FormsAnswer:
    """Return what can be certified about the common real roots of quadratic forms.

    Parameters
    ----------
    forms : (s, k, k) ndarray
        Symmetric; s >= 1, k >= 1.
    error : float
        Bound on the spectral norm of the error of each.
    rng : Generator
        Starts of Newton's method; they decide what is found, never whether it is true.
    """
    size = float(np.abs(forms).sum(axis=(1, 2)).max())
    if size == 0.0:
        return FormsAnswer(Roots.UNKNOWN, None, 0.0)
    error = error + 4.0 * forms.shape[1] * EPS * size
    margin = _definite(forms, error)
    if margin > 0.0:
        return FormsAnswer(Roots.NONE_DEFINITE, None, margin)
    if len(forms) == 1:
        return _one_form(forms[0], error)
    if len(forms) < forms.shape[1]:
        for _ in range(_STARTS):
            root, number = _newton(forms, error, rng.normal(size=(forms.shape[1],)))
            if number < 0.5:  # a root is near; go there, unless the first steps wandered
                root, number = _newton(forms, error, root)
            if number < 0.5:
                return FormsAnswer(Roots.REGULAR, root, 0.5 - number)
    if forms.shape[1] <= MOST_VARIABLES and _excluded(forms, error):
        return FormsAnswer(Roots.NONE_EXCLUDED, None, 0.0)
    return FormsAnswer(Roots.UNKNOWN, None, 0.0)


def _one_form(form: Floats, error: float) -> FormsAnswer:
    """Return a root of an indefinite form; without part in its kernel, hence regular."""
    values, vectors = np.linalg.eigh(form)
    if values[0] >= -error or values[-1] <= error:
        return FormsAnswer(Roots.UNKNOWN, None, 0.0)
    margin = min(-values[0], values[-1]) - error
    return FormsAnswer(Roots.REGULAR, _mixed(values, vectors), float(margin))


def root_of_indefinite(form: Floats) -> Floats | None:
    """Return a unit vector at which a form vanishes, None if no eigenvalues have both signs."""
    values, vectors = np.linalg.eigh(form)
    return _mixed(values, vectors) if values[0] < 0.0 < values[-1] else None


def _mixed(values: Floats, vectors: Floats) -> Floats:
    root = np.sqrt(values[-1]) * vectors[:, 0] + np.sqrt(-values[0]) * vectors[:, -1]
    return np.asarray(root / np.linalg.norm(root))


def _definite(forms: Floats, error: float) -> float:
    """Return lambda_min of the best member of the pencil found, minus its error bound."""
    count = len(forms)

    def lowest(y: Floats) -> tuple[float, Floats]:
        values, vectors = np.linalg.eigh(np.tensordot(y, forms, axes=1))
        return float(values[0]), vectors[:, 0]

    starts = [sign * row for row in np.eye(count) for sign in (1.0, -1.0)]
    if count == 2:
        angles = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
        starts = [np.array([np.cos(t), np.sin(t)]) for t in angles]
    y = max(starts, key=lambda start: lowest(start)[0])
    best = lowest(y)[0]
    scale = float(np.abs(forms).max()) + 1e-300
    # lambda_min(sum y_j Q_j) is concave in y, with (v . Q_j v)_j as a supergradient
    trial = y
    for step in range(1, _ASCENT if count > 1 else 1):
        _, v = lowest(trial)
        gradient = np.einsum("p,jpq,q->j", v, forms, v)
        trial = trial + gradient / (scale * np.sqrt(step))
        trial = trial / max(float(np.linalg.norm(trial)), 1e-300)
        now = lowest(trial)[0]
        if now > best:
            best = now
        if best > 0.0 and best > 10.0 * error * count:
            break
    return best - error * np.sqrt(count)


def _newton(forms: Floats, error: float, start: Floats) -> tuple[Floats, float]:
    """Return a unit vector and its Kantorovich number; below 1/2 a regular root is near."""
    v = start / np.linalg.norm(start)
    for _ in range(_NEWTON):
        gradient = 2.0 * forms @ v
        value = 0.5 * gradient @ v
        v = v - np.linalg.lstsq(gradient, value, rcond=None)[0]
        norm = float(np.linalg.norm(v))
        if not np.isfinite(norm) or norm == 0.0:
            return start, np.inf
        v = v / norm
    gradient = 2.0 * forms @ v
    count = len(forms)
    singular = float(np.linalg.svd(gradient, compute_uv=False)[-1])
    slack = singular - 2.0 * error * np.sqrt(count)
    if slack <= 0.0:
        return v, np.inf
    # F(v) = (v . Q_j v)_j has the Lipschitz constant 2 (sum |Q_j|^2)^(1/2) of its derivative
    curvature = 2.0 * float(np.sqrt((np.linalg.norm(forms, ord=2, axis=(1, 2)) ** 2).sum()))
    residual = float(np.linalg.norm(0.5 * gradient @ v)) + error * np.sqrt(count)
    step = residual / slack
    return v, step * (curvature + 2.0 * error * count) / slack + (0.0 if step < 0.1 else np.inf)


def _excluded(forms: Floats, error: float) -> bool:
    """Return whether branch and bound proves that the forms have no common root.

    Up to sign a root has a component 1 and the others in [-1, 1]. On a box with centre c and half
    width h, |q(v) - q(c)| <= 2 h |Q c|_1 + h^2 |Q|_1.
    """
    k = forms.shape[1]
    if k == 1:
        return bool(np.any(np.abs(forms[:, 0, 0]) > error))
    spread = np.abs(forms).sum(axis=(1, 2))
    slack = error * k + 8.0 * k * EPS * spread
    boxes_left = _BOXES
    for face in range(k):
        centres, half = np.zeros((1, k - 1)), 1.0
        while len(centres):
            boxes_left -= len(centres)
            if boxes_left < 0:
                return False
            points = np.insert(centres, face, 1.0, axis=1)
            images = np.einsum("jpq,bq->bjp", forms, points)
            values = np.abs(np.einsum("bjp,bp->bj", images, points))
            # the component that is 1 does not move
            moved = np.delete(np.abs(images), face, axis=2).sum(axis=2)
            inner = np.delete(np.delete(np.abs(forms), face, 1), face, 2).sum(axis=(1, 2))
            reach = 2.0 * half * moved + half**2 * inner + slack
            centres = centres[~np.any(values > reach, axis=1)]
            half *= 0.5
            corners = np.stack(np.meshgrid(*[[-half, half]] * (k - 1), indexing="ij"), axis=-1)
            centres = (centres[:, None] + corners.reshape(1, -1, k - 1)).reshape(-1, k - 1)
    return True
