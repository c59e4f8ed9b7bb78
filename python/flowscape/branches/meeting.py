"""Where two closures meet: the conserved quantity that decides between them.

docs/branch-meeting.md derives the quantities and says to which order they are conserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowscape.branches.partitions import Blocks
from flowscape.branches.reduce import FREE
from flowscape.branches.setting import Setting
from flowscape.branches.shapes import SILENT, ZEROS, Shape, Variant

Floats = NDArray[np.float64]

__all__ = ["Corner", "Member", "corner", "member"]


class Member(NamedTuple):
    """One set of an orbit: groups, signs and variant, as in `Branch`."""

    shape: Shape
    blocks: Blocks
    signs: tuple[int, ...]
    variant: Variant


def member(shape: Shape, signed: bool, rank: int) -> Member:
    """Return the set number `rank` of an orbit."""
    rest, variant = divmod(rank, len(shape.constant.variants))
    tables = shape.sign_tables(signed)
    partition, bits = divmod(rest, prod(len(table) for table in tables))
    blocks = shape.blocks(partition)
    signs = [1] * shape.width
    for table, block in zip(tables, blocks[1:], strict=True):
        bits, row = divmod(bits, len(table))
        for k, sign in zip(block, table[row], strict=True):
            signs[k] = int(sign)
    return Member(shape, blocks, tuple(signs), shape.constant.variants[variant])


@dataclass(frozen=True)
class Corner:
    """Two closures that differ in what one neuron does, where they meet.

    In one set the neuron's incoming vector is held and its outgoing weight free, in the other one
    (a free group of one) the other way round. They meet where the vector is the held one and the
    weight 0, and to leading order flows conserve

        I = |v_k - v_held|^2 - factor a_k^2.

    It is negative towards the set that holds the vector, positive towards the other one.

    Attributes
    ----------
    neuron : int
        k.
    partner : int
        The neuron of the same label, whose vector is v_held (up to `sign`) and whose outgoing
        weight moves against a_k; -1 if there is none.
    sign : int
        Product of the signs of the two neurons.
    held : (D,) ndarray
        v_held where there is no partner: a zero of sigma, centred.
    factor : float
        4 with a partner, 1 without.
    """

    neuron: int
    partner: int
    sign: int
    held: Floats
    factor: float

    def invariant(self, outgoing: Floats, incoming: Floats) -> tuple[Floats, Floats]:
        """Return I and the sum of its two terms.

        Parameters
        ----------
        outgoing, incoming : (B, m, 1) and (B, m, D) ndarray
            As `Setting.split` returns them.
        """
        held = self.held if self.partner < 0 else self.sign * incoming[:, self.partner]
        apart = ((incoming[:, self.neuron] - held) ** 2).sum(axis=1)
        small = self.factor * outgoing[:, self.neuron, 0] ** 2
        return apart - small, apart + small


def corner(setting: Setting, held: Member, free: Member) -> Corner | None:
    """Return how two sets meet, or None where no conserved quantity is known.

    Known: one output; every group is a single neuron, except that in `held` one neuron k shares
    the label of another one or sits, alone, at a zero of sigma with a non-zero slope; and in `free`
    the same neuron is a free group of its own and nothing else is different.
    """
    if setting.outputs != 1 or free.shape.constant.size or set(free.shape.free) - {1}:
        return None
    if set(free.shape.labelled) - {1} or set(held.shape.free) - {1}:
        return None
    one, two = _roles(held), _roles(free)
    changed = [k for k in range(setting.width) if one[k] != two[k]]
    if len(changed) != 1 or two[changed[0]] != FREE:
        return None
    k = changed[0]
    if setting.level or setting.slope:
        shared = next((b for b in held.blocks[1:] if k in b), ())
        if len({held.signs[j] for j in shared}) == 2:
            return None  # the equation for all groups changes what is fast
    rest = [j for j in range(setting.width) if j != k]
    if any(one[j] != FREE and held.signs[j] != free.signs[j] for j in rest):
        return None
    nothing = np.zeros(setting.incoming)
    if one[k] >= 0:
        partner = next(j for j in rest if one[j] == one[k])
        return Corner(k, partner, held.signs[k] * held.signs[partner], nothing, 4.0)
    if held.shape.constant.kind == ZEROS:
        nothing[-1] = held.variant[0] - setting.centre
    elif held.shape.constant.kind != SILENT:
        return None
    slope = setting.sigma(np.array([nothing[-1] + setting.centre if setting.bias else 0.0]))[1]
    return Corner(k, -1, 1, nothing, 1.0) if slope[0] != 0.0 else None


def _roles(one: Member) -> list[int]:
    """Return for every neuron its label, FREE, or -2 in the constant group."""
    roles = [-2] * one.shape.width
    for place, block in enumerate(one.blocks[1:]):
        for k in block:
            roles[k] = place if place < len(one.shape.labelled) else FREE
    return roles
