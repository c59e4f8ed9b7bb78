"""Where closures of affine branches meet: dimension and emptiness by integers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flowscape.branches.groups import squared_norm
from flowscape.branches.parts import BranchParts
from flowscape.branches.shapes import EMPTY, LEVEL, SILENT, ZEROS
from flowscape.brief import Brief
from flowscape.errors import check_positive, float_array

__all__ = ["ZERO", "AffineSubspace", "GroupEquations", "SignedUnion", "intersect", "join_incoming"]

Floats = NDArray[np.float64]

ZERO: tuple[float, ...] = ()
_CANCELLED = 1e-12


@dataclass(frozen=True, repr=False)
class AffineSubspace(Brief):
    """The points that several affine branches share: {theta : matrix @ theta = right}.

    Attributes
    ----------
    matrix, right : ndarray
        All equations, redundant ones included: (E, P) and (E,).
    dim : int
        Exact, from the groups; not from a numerical rank.
    n_weights : int or None
        Number of different incoming vectors at a generic point (up to sign for odd or even sigma);
        None where neurons of a constant group take part.
    """

    matrix: Floats
    right: Floats
    dim: int
    n_weights: int | None = field(default=None)

    @property
    def codim(self) -> int:
        """Rank of the equations."""
        return self.matrix.shape[1] - self.dim

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """Return a point and an orthonormal basis; the rank is known, so nothing is cut off."""
        if self.codim == 0:
            return np.zeros(self.dim), np.eye(self.dim)
        left, values, right = np.linalg.svd(self.matrix)
        k = self.codim
        point = right[:k].T @ ((left[:, :k].T @ self.right) / values[:k])
        return point, np.ascontiguousarray(right[k:].T)

    @property
    def point(self) -> Floats:
        """The member nearest to the origin, (P,)."""
        return self._factors[0]

    @property
    def basis(self) -> Floats:
        """Orthonormal basis (P, dim) of the directions."""
        return self._factors[1]

    def project(self, theta: ArrayLike) -> Floats:
        """Return the nearest members of points (P,) or (B, P)."""
        p = self.matrix.shape[1]
        rows = float_array("theta", theta, (p,), ("B", p))
        point, basis = self._factors
        return np.asarray(point + ((rows - point) @ basis) @ basis.T)

    def distance(self, theta: ArrayLike) -> Floats:
        """Return the Euclidean distance of points (P,) or (B, P)."""
        p = self.matrix.shape[1]
        rows = float_array("theta", theta, (p,), ("B", p))
        gap = np.atleast_2d(self.project(rows) - rows)
        found: Floats = np.sqrt(squared_norm(gap))
        return found if rows.ndim == 2 else found[0]

    def contains(self, theta: ArrayLike, tol: float) -> NDArray[np.bool_]:
        """Return whether points are within distance `tol` > 0."""
        return np.asarray(self.distance(theta) <= check_positive("tol", tol))

    def sample(self, rng: np.random.Generator) -> Floats:
        """Return a random member (P,): standard normal along the basis, around `point`."""
        return np.asarray(self.point + self.basis @ rng.normal(size=self.dim))


def intersect(branches: Sequence[BranchParts]) -> AffineSubspace | None:
    """Return the intersection of affine branches of one family, None if it is empty.

    Parameters
    ----------
    branches : sequence of Branch
        At least one; all affine and of one family (`Branch.intersection` checks that).

    Notes
    -----
    Incoming vectors: neurons of one group copy each other, with signs; a label, a zero input weight
    or a sign contradiction (v = -v) fixes them. Input weights and biases are followed apart,
    as a constant group fixes only the former. Outgoing weights of two branches: every group is an
    equation and every neuron stands in at most one equation per branch, so the equations are the
    vertices and the neurons the edges of a signed graph. A connected part with E vertices has rank
    E, or E - 1 if its signs can be switched to +1 and no neuron hangs on one vertex only;
    then the right sides of both branches must add up alike. With more branches exact elimination
    over the rationals takes the graph's place, also where an activation that is odd plus a
    constant adds an equation for all neurons (there sums of target weights count as 0 within
    round-off). For generic activations this is Local Recovery,
    Lemma 3.5, corrected: dimension D(c - m0) + m - (r + r' - c), c blocks of the join.
    """
    setting = branches[0].setting
    weights = join_incoming(branches, bias=False)
    biases = join_incoming(branches, bias=True) if setting.bias else None
    if not weights.consistent or not (biases is None or biases.consistent):
        return None
    graph = GroupEquations(branches)
    rank = graph.rank()
    if rank is None:
        return None
    edges = setting.width + int(setting.output_bias)
    outgoing = setting.outputs * (edges - rank)
    dim = setting.inputs * weights.n_free + (biases.n_free if biases else 0) + outgoing
    pairs = [branch.linear_equations() for branch in branches]
    plain = all(branch.shape.constant.size == 0 for branch in branches)
    return AffineSubspace(
        np.concatenate([matrix for matrix, _ in pairs]),
        np.concatenate([right for _, right in pairs]),
        dim,
        _different(weights, biases, setting.signed) if plain else None,
    )


class SignedUnion:
    """Union-find over neurons whose values are equal up to a sign, or fixed."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))
        self.sign = [1] * size
        self.value: dict[int, tuple[float, ...]] = {}
        self.consistent = True

    def find(self, k: int) -> tuple[int, int]:
        """Return the root of k and the sign that leads there."""
        sign = 1
        while self.parent[k] != k:
            sign *= self.sign[k]
            k = self.parent[k]
        return k, sign

    def join(self, j: int, k: int, sign: int) -> None:
        """Demand v_j = sign v_k."""
        (one, s), (two, t) = self.find(j), self.find(k)
        if one == two:
            if s != sign * t:
                self.fix(one, ZERO)
            return
        self.parent[one], self.sign[one] = two, s * sign * t
        if one in self.value:
            self.fix(two, _times(self.sign[one], self.value.pop(one)))

    def fix(self, k: int, value: tuple[float, ...]) -> None:
        """Demand v_k = value; `ZERO` stands for the vector 0."""
        root, sign = self.find(k)
        wanted = _times(sign, value)
        old = self.value.setdefault(root, wanted)
        if old != wanted:
            self.consistent = False

    @property
    def n_free(self) -> int:
        """Number of values that can be chosen."""
        roots = sum(k == parent for k, parent in enumerate(self.parent))
        return roots - len(self.value)


def _times(sign: int, value: tuple[float, ...]) -> tuple[float, ...]:
    if not any(value):
        return ZERO
    return tuple(sign * x + 0.0 for x in value)


def _different(weights: SignedUnion, biases: SignedUnion | None, signed: bool) -> int:
    """Return the number of different incoming vectors without constant groups."""
    found = set()
    for root, value in weights.value.items():
        # without constant groups biases are joined exactly as input weights are
        pair = (value, biases.value[root]) if biases else (value,)
        mirrored = tuple(_times(-1, part) for part in pair)
        found.add(min(pair, mirrored, key=str) if signed else pair)
    return weights.n_free + len(found)


def join_incoming(branches: Sequence[BranchParts], bias: bool) -> SignedUnion:
    """Join the input weights, or the biases, as all the branches demand."""
    setting, target = branches[0].setting, branches[0].target
    union = SignedUnion(setting.width)
    cut = slice(setting.inputs, None) if bias else slice(0, setting.inputs)
    for branch in branches:
        m0, kind = len(branch.shape.labelled), branch.shape.constant.kind
        for place, block in enumerate(branch.blocks[1:]):
            for k in block[1:]:
                union.join(k, block[0], branch.signs[k] * branch.signs[block[0]])
            if place < m0:
                vector = tuple(target.incoming[place, cut].tolist())
                union.fix(block[0], _times(branch.signs[block[0]], vector))
        for place, k in enumerate(branch.blocks[0]):
            if not bias:
                union.fix(k, ZERO)
            elif kind == ZEROS:
                union.fix(k, _times(1, (branch.variant[place] - setting.centre,)))
    return union


class GroupEquations:
    """The equations of the outgoing weights: one vertex per equation, one edge per neuron.

    Right sides are formal: the index of the target neuron, or "constant", or None for 0. Their
    numbers need not be compared: two target neurons cannot meet, as their incoming vectors differ.
    """

    def __init__(self, branches: Sequence[BranchParts]) -> None:
        setting = branches[0].setting
        self.edges = setting.width + int(setting.output_bias)
        self.rows: list[dict[int, int]] = []
        self.rights: list[tuple[int, str | int | None]] = []  # (branch, right side)
        self.n_branches = len(branches)
        self.level = setting.level
        self.target = branches[0].target
        for number, branch in enumerate(branches):
            m0, pull = len(branch.shape.labelled), setting.pull(branch.signs)
            for place, block in enumerate(branch.blocks[1:]):
                self.rows.append({k: int(pull[k]) for k in block})
                self.rights.append((number, place if place < m0 else None))
            shared = setting.output_bias or setting.level
            if not shared or branch.shape.constant.kind not in (EMPTY, SILENT, LEVEL):
                continue
            # c + sigma(0) sum a = C0, divided by sigma(0): c / sigma(0) is one more edge
            row = {setting.width: 1} if setting.output_bias else {}
            if setting.level:  # kappa takes the place of sigma(0), for all neurons
                row |= dict.fromkeys(range(setting.width), 1)
            elif branch.shape.constant.kind == LEVEL:
                row |= dict.fromkeys(branch.blocks[0], 1)
            self.rows.append(row)
            self.rights.append((number, "constant"))

    def rank(self) -> int | None:
        """Return the rank, None if the equations contradict each other."""
        if self.level:
            return self._eliminated(self._cancels)
        return self._graph_rank() if self.n_branches <= 2 else self._eliminated()

    def _graph_rank(self) -> int | None:
        at: list[list[tuple[int, int]]] = [[] for _ in range(self.edges)]
        for vertex, row in enumerate(self.rows):
            for edge, sign in row.items():
                at[edge].append((vertex, sign))
        switch: dict[int, int] = {}
        rank = 0
        for start in range(len(self.rows)):
            if start in switch:
                continue
            switch[start] = 1
            part, balanced, queue = [start], True, [start]
            while queue:
                vertex = queue.pop()
                for edge, sign in self.rows[vertex].items():
                    others = [pair for pair in at[edge] if pair[0] != vertex]
                    if not others:
                        balanced = False
                        continue
                    ((other, other_sign),) = others
                    # rows of the two branches cancel if their switched signs agree
                    wanted = switch[vertex] * sign * other_sign
                    if other not in switch:
                        switch[other] = wanted
                        part.append(other)
                        queue.append(other)
                    elif switch[other] != wanted:
                        balanced = False
            rank += len(part) - int(balanced)
            if balanced and not self._agrees(part, switch):
                return None
        return rank

    def _agrees(self, part: list[int], switch: dict[int, int]) -> bool:
        total: dict[str | int, int] = {}
        for vertex in part:
            number, right = self.rights[vertex]
            if right is not None:
                sign = switch[vertex] * (1 if number == 0 else -1)
                total[right] = total.get(right, 0) + sign
        return not any(total.values())

    def _cancels(self, names: Sequence[str], factors: Sequence[int]) -> bool:
        """Return whether a combination of right sides is 0; sums of weights may vanish."""
        values = {str(t): weight for t, weight in enumerate(self.target.outgoing)}
        values["constant"] = self.target.constant / self.level
        terms = [factor * values[name] for name, factor in zip(names, factors, strict=True)]
        size = sum(float(np.linalg.norm(term)) for term in terms)
        return bool(np.linalg.norm(np.sum(terms, axis=0)) <= _CANCELLED * size)

    def _eliminated(
        self, cancels: Callable[[Sequence[str], Sequence[int]], bool] | None = None
    ) -> int | None:
        """Return the rank by elimination with integers (no division, rows kept primitive)."""
        names = sorted({str(right) for _, right in self.rights if right is not None})
        rows = []
        for row, (_, right) in zip(self.rows, self.rights, strict=True):
            full = [row.get(edge, 0) for edge in range(self.edges)]
            full += [int(str(right) == name and right is not None) for name in names]
            rows.append(full)
        vanish = None if cancels is None else partial(cancels, names)
        return eliminate(rows, self.edges, vanish)


def eliminate(
    rows: list[list[int]],
    columns: int,
    vanish: Callable[[Sequence[int]], bool] | None = None,
) -> int | None:
    """Return the rank of the first `columns` columns, None if the rest contradicts it.

    Parameters
    ----------
    rows : list of list of int
        Coefficients and, behind them, formal right sides. Changed in place.
    columns : int
        Number of coefficients.
    vanish : callable, optional
        Whether a combination of the right sides is 0; by default only the empty one is.
    """
    rank = 0
    for column in range(columns):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        head = rows[rank]
        for i in range(rank + 1, len(rows)):
            if factor := rows[i][column]:
                row = [head[column] * x - factor * y for x, y in zip(rows[i], head, strict=True)]
                rows[i] = row
        rank += 1
    left = [row[columns:] for row in rows[rank:] if any(row[columns:])]
    return None if any(vanish is None or not vanish(row) for row in left) else rank
