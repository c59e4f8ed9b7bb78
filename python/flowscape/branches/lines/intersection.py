"""Where closures of a positively homogeneous activation meet: cells, and members of them.

A cell is given by the still neurons, v_k = 0, the signs of their a_k (which may be 0), and whether
pairs of neurons make a linear function. Which of its points are limits of every branch is decided
by the rules of `closure` at a generic point; where that would depend on more than the cell, the
intersection is refused. Proofs: ``docs/intersections.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.lines.cells import Cell, LineClass
from flowscape.branches.lines.closure import BOTH, Edge
from flowscape.branches.lines.equations import LineEquations
from flowscape.errors import InternalError, ProblemError

__all__ = ["LineCell", "LineIntersection", "intersect_lines"]

Floats = NDArray[np.float64]

_TRIES = 100
_LEAST = 0.1
"""Least |t| of a member that is sampled, so that lengths stay moderate."""


class _Closure(Protocol):
    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]: ...


@dataclass(frozen=True)
class LineCell:
    """One piece of an intersection; see the module.

    Attributes
    ----------
    still : tuple of int
        Neurons with v_k = 0.
    signs : tuple of int
        Signs of their a_k.
    bundle : bool
        Whether a sum t of neurons on both sides of free lines is not 0.
    dim : int
        Exact.
    """

    still: tuple[int, ...]
    signs: tuple[int, ...]
    bundle: bool
    dim: int
    cell: Cell
    centre: Floats

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, ...], bool, int]:
        """What tells it from all other pieces, and its dimension."""
        return self.still, self.signs, self.bundle, self.dim

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,)."""
        theta = _generic(self.cell, self.bundle, rng)
        size = np.abs(rng.normal(size=len(self.still)))
        for k, sign, a in zip(self.still, self.signs, size, strict=True):
            theta[self.cell.setting.a_index(k, 0)] = sign * a
        return np.asarray(theta + self.centre)


@dataclass(frozen=True)
class LineIntersection:
    """What closures of a positively homogeneous activation share: disjoint cells.

    Attributes
    ----------
    pieces : tuple of LineCell
        Disjoint and irreducible (up to signs), by falling dimension. Cells may border on others.
    closures : tuple of LineBranch
        The branches.
    """

    pieces: tuple[LineCell, ...]
    closures: tuple[_Closure, ...]

    @property
    def dim(self) -> int:
        """The largest dimension of a cell."""
        return self.pieces[0].dim

    @property
    def codim(self) -> int:
        """P - dim."""
        return self.pieces[0].cell.setting.n_params - self.dim

    @property
    def n_weights(self) -> None:
        """Not stated; see `AffineSubspace`."""
        return

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """Of two intersections, one in the other, equal only if these are."""
        return tuple(sorted(piece.key for piece in self.pieces))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,) of a cell of the largest dimension."""
        return self.pieces[0].sample(rng)

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0 of *every* closure."""
        found = [closure.contains(theta, tol) for closure in self.closures]
        return np.asarray(np.all(found, axis=0))


def intersect_lines(
    closures: Sequence[_Closure], systems: Sequence[LineEquations], centre: Floats
) -> LineIntersection | None:
    """Return the intersection of branches of one family, None if it is empty.

    Parameters
    ----------
    closures : sequence of LineBranch
    systems : sequence of LineEquations
        Their equations.
    centre : (P,) ndarray
        Where the biases are counted from.

    Raises
    ------
    ProblemError
        If lines of pairs of neurons must be dependent for a cell to be a limit of a branch.
    """
    width = systems[0].setting.width
    found: list[LineCell] = []
    for number in range(width + 1):
        for still in combinations(range(width), number):
            cell = Cell(systems, frozenset(still))
            if cell.consistent:
                found += _pieces(cell, systems, still, centre)
    found.sort(key=lambda piece: -piece.dim)
    return LineIntersection(tuple(found), tuple(closures)) if found else None


def _pieces(
    cell: Cell, systems: Sequence[LineEquations], still: tuple[int, ...], centre: Floats
) -> Iterator[LineCell]:
    whole, apart = cell.codim_bundle(), cell.codim_apart()
    parts = [(True, whole)] if whole is not None else []
    # beyond so many lines, all t = 0 is a limit of t != 0
    if apart is not None and (whole is None or len(cell.pairs) + cell.rank <= _components(cell)):
        parts.append((False, apart))
    rng = np.random.default_rng(0)
    for bundle, codim in parts:
        assert codim is not None
        theta = _generic(cell, bundle, rng)
        at = [cell.setting.a_index(k, 0) for k in still]
        for signs in product((1, -1, 0), repeat=len(still)):
            theta[at] = signs
            if _is_limit(cell, systems, theta):
                dim = cell.dim - codim + sum(map(abs, signs))
                yield LineCell(still, signs, bundle, dim, cell, centre)


def _components(cell: Cell) -> int:
    return cell.setting.incoming


def _is_limit(cell: Cell, systems: Sequence[LineEquations], theta: Floats) -> bool:
    """Whether a generic point of a cell, and with it the cell, is a limit of every branch."""
    unknown = None
    for system in systems:
        if system.silent:
            continue
        edge = Edge(system, theta, float(theta @ theta))
        if any(edge.way(block) != BOTH for block in system.balanced):
            return False
        moves = None if system.stratum is None else edge.moves()
        if moves is None:
            continue
        if any(moves.free):
            unknown = system
        elif not moves.exist():
            return False
    if unknown is not None:
        raise ProblemError(
            "the intersection is not known: where pairs of neurons on both sides of a line make "
            "no linear function, only some lines are limits of the branch with groups "
            f"{unknown.blocks[1:]}; use `contains` for single points"
        )
    return True


def _generic(cell: Cell, bundle: bool, rng: np.random.Generator) -> Floats:
    """Return a random point (P,), biases from the centre, still neurons with a = 0."""
    for _ in range(_TRIES):
        found = _attempt(cell, bundle, rng)
        if found is not None:
            return found
    raise InternalError("no member of an intersection was found")


def _attempt(cell: Cell, bundle: bool, rng: np.random.Generator) -> Floats | None:
    s, target = cell.setting, cell.target
    lines = {one: _unit(rng, s.incoming) if one.line is None else one.line for one in cell.classes}
    rows, right = list(cell.rows), []
    for system in cell.systems:
        weights = [*target.weights[:, 0]] if system.m0 else []
        right += [*weights, *[0.0] * (len(system.blocks) - 1 - len(weights))]
    level = rng.normal() if target.level_free else 0.0
    if not bundle:
        for one in cell.pairs:
            rows.append(_form(cell, one))
            right.append(0.0)
        extra, value = _affine(cell, lines)
        rows += list(extra[:, :-1])
        right += list(value)
        column = extra[:, -1]
    else:
        column = np.zeros(0)
    # unknowns: p, and the constant of the output bias in units of the last component
    matrix = np.zeros((len(rows), s.width + 1))
    matrix[:, :-1] = np.array(rows).reshape(-1, s.width)
    matrix[len(rows) - len(column) :, -1] = column
    awake = [k for k in range(s.width) if k not in cell.still]
    columns = [*awake, s.width] if target.level_free else awake
    start = np.append(rng.normal(size=s.width), level)
    part = matrix[:, columns]
    step = np.linalg.lstsq(part, np.array(right) - part @ start[columns], rcond=1e-10)[0]
    start[columns] += step
    p, level = start[:-1], float(start[-1])
    if bundle:
        extra, value = _affine(cell, lines)
        chosen = max(cell.pairs, key=lambda one: abs(_form(cell, one) @ p))
        t = float(_form(cell, chosen) @ p)
        left = value - extra @ np.append(_only(cell, p), level) + t * lines[chosen]
        size = float(np.linalg.norm(left))
        if abs(t) < _LEAST or size < _LEAST * min(1.0, max(target.size, _LEAST)):
            return None
        lines[chosen] = left / size
        p[list(chosen.neurons)] *= size / t
    return _written(cell, lines, p, level, rng)


def _form(cell: Cell, one: LineClass) -> Floats:
    row = np.zeros(cell.setting.width)
    row[list(one.neurons)] = one.signs
    return row


def _only(cell: Cell, p: Floats) -> Floats:
    return np.where([k in cell.still for k in range(len(p))], 0.0, p)


def _affine(cell: Cell, lines: dict[LineClass, Floats]) -> tuple[Floats, Floats]:
    """Return what p and the constant add to the affine function, (E, m + 1), and the target's."""
    s, target = cell.setting, cell.target
    last = np.eye(s.incoming)[-1]
    if target.linear is None:
        if not target.bias:
            return np.zeros((0, s.width + 1)), np.zeros(0)
        level = np.append(cell.gains, float(target.level_free))
        return level[None], target.constant
    rows = np.zeros((s.incoming, s.width + 1))
    for one, line in lines.items():
        if not one.constant:
            rows[:, list(one.neurons)] = np.outer(line, one.signs)
    if target.bias:
        rows[:, :-1] += np.outer(last, cell.gains * target.per_constant)
        rows[:, -1] = last * float(target.level_free)
    return rows, np.asarray(target.linear[0])


def _written(
    cell: Cell, lines: dict[LineClass, Floats], p: Floats, level: float, rng: np.random.Generator
) -> Floats:
    s, target = cell.setting, cell.target
    a, v = np.zeros(s.width), np.zeros((s.width, s.incoming))
    for one, line in lines.items():
        for k, sign in zip(one.neurons, one.signs, strict=True):
            length = float(np.exp(rng.normal(scale=0.5)))
            a[k], v[k] = p[k] / length, sign * length * line
    # without hidden biases the output bias is the target's
    constant = level / target.per_constant if target.level_free else float(target.constant[0])
    parts = a[None, :, None], v[None], np.full((1, 1), constant if s.output_bias else 0.0)
    return np.asarray(s.join(*parts)[0])


def _unit(rng: np.random.Generator, d: int) -> Floats:
    vector = rng.normal(size=d)
    return np.asarray(vector / np.linalg.norm(vector))
