"""Incoming vectors that branches together join up to a sign, or fix."""

from __future__ import annotations

from collections.abc import Sequence

from flowscape.branches.parts import BranchParts
from flowscape.branches.shapes import ZEROS

__all__ = ["ZERO", "SignedUnion", "join_incoming", "times"]

ZERO: tuple[float, ...] = ()


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
            self.fix(two, times(self.sign[one], self.value.pop(one)))

    def fix(self, k: int, value: tuple[float, ...]) -> None:
        """Demand v_k = value; `ZERO` stands for the vector 0."""
        root, sign = self.find(k)
        wanted = times(sign, value)
        old = self.value.setdefault(root, wanted)
        if old != wanted:
            self.consistent = False

    @property
    def n_free(self) -> int:
        """Number of values that can be chosen."""
        roots = sum(k == parent for k, parent in enumerate(self.parent))
        return roots - len(self.value)


def times(sign: int, value: tuple[float, ...]) -> tuple[float, ...]:
    """Return the vector with a sign; `ZERO` if it is 0."""
    if not any(value):
        return ZERO
    return tuple(sign * x + 0.0 for x in value)


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
                union.fix(block[0], times(branch.signs[block[0]], vector))
        for place, k in enumerate(branch.blocks[0]):
            if not bias:
                union.fix(k, ZERO)
            elif kind == ZEROS:
                union.fix(k, times(1, (branch.variant[place] - setting.centre,)))
    return union
