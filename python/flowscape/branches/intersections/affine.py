"""Where closures of affine branches meet: dimension and emptiness by integers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowscape.branches.intersections.group_equations import GroupEquations
from flowscape.branches.intersections.signed_union import SignedUnion, join_incoming, times
from flowscape.branches.intersections.subspace import AffineSubspace
from flowscape.branches.parts import BranchParts

__all__ = ["intersect"]


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


def _different(weights: SignedUnion, biases: SignedUnion | None, signed: bool) -> int:
    """Return the number of different incoming vectors without constant groups."""
    found = set()
    for root, value in weights.value.items():
        # without constant groups biases are joined exactly as input weights are
        pair = (value, biases.value[root]) if biases else (value,)
        mirrored = tuple(times(-1, part) for part in pair)
        found.add(min(pair, mirrored, key=str) if signed else pair)
    return weights.n_free + len(found)
