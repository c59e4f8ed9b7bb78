"""All strata of small families, one by one: the lists that rules and counts are compared with."""

from itertools import product


def set_partitions(items):
    """Yield all partitions of a list into blocks; each block keeps the order of the list."""
    if not items:
        yield []
        return
    head, *tail = items
    for rest in set_partitions(tail):
        yield [[head], *rest]
        for i in range(len(rest)):
            yield [*rest[:i], [head, *rest[i]], *rest[i + 1 :]]


def strata(m, m0, *, constant=False):
    """Yield (labelled blocks, free blocks, constant block, signs), each stratum once.

    A free block keeps the sign of its first neuron; with `constant` one block, which may be empty,
    has no signs.
    """
    kinds = [*range(m0), "free", *(["constant"] if constant else [])]
    for blocks in set_partitions(list(range(m))):
        for marks in product(kinds, repeat=len(blocks)):
            if any(marks.count(t) != 1 for t in range(m0)) or marks.count("constant") > 1:
                continue
            labelled = [blocks[marks.index(t)] for t in range(m0)]
            free = [b for b, mark in zip(blocks, marks, strict=True) if mark == "free"]
            still = blocks[marks.index("constant")] if "constant" in marks else []
            fixed = {b[0] for b in free} | set(still)
            for signs in product(*[(1,) if k in fixed else (1, -1) for k in range(m)]):
                yield labelled, free, still, signs
