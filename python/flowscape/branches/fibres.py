"""The fibres {(A, B): A B^T = M} of the product of two matrices, A (O, J) and B (E, J).

With rho the rank of M, the pairs with rank A = i and rank B = k form a smooth irreducible set,
which is not empty exactly if

    rho <= i <= min(O, J),    rho <= k <= min(E, J),    i + k <= J + rho.

Its closure consists of those with smaller or equal ranks. So the components of the fibre belong to
the maximal (i, k). Proofs: ``docs/families.md``.
"""

from __future__ import annotations

Ranks = tuple[int, int]

__all__ = ["Ranks", "fibre_codim", "fibre_components"]


def fibre_components(outputs: int, rest: int, inner: int, rank: int) -> tuple[Ranks, ...]:
    """Return the ranks (i, k) of the components, by falling i; none if the fibre is empty.

    Parameters
    ----------
    outputs, rest, inner : int
        O, E and J.
    rank : int
        rho, at most min(O, E).
    """
    most, widest = min(outputs, inner), min(rest, inner)
    if rank > min(most, widest):
        return ()
    if most + widest <= inner + rank:
        return ((most, widest),)
    least = max(rank, inner + rank - widest)
    return tuple((i, inner + rank - i) for i in range(most, least - 1, -1))


def fibre_codim(outputs: int, rest: int, ranks: Ranks) -> int:
    """Return the codimension of a component: O E - (O - i)(E - k).

    It is the rank of the derivative of A B^T at its generic points, so that the equations
    A B^T = M describe it without multiplicity there.
    """
    return outputs * rest - (outputs - ranks[0]) * (rest - ranks[1])
