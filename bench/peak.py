"""What one core can do: its fused multiply-add peak, measured like any other candidate.

With numba the loop is written in LLVM's intermediate language, twelve independent vectors of
doubles, as wide as the processor has them, that stay in registers; nothing else but the loop
counter. Without numba the single-threaded dgemm of NumPy's BLAS stands in. It is a lower bound of
the peak, so fractions of it are upper bounds; the tables say which of the two was used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from environment import processor_flags

_CHAINS = 12
_TURNS = 200_000
_SIZE = 512


class Peak(NamedTuple):
    name: str
    run: Callable[[], object]
    flops: float
    exact: bool
    """False for a lower bound, against which no goal can be judged."""


def fma_peak() -> Peak:
    """Return the best available measure of the core's peak; run() does `flops` operations."""
    flags = processor_flags()
    if "fma" not in flags:
        return dgemm()
    lanes = 8 if "avx512f" in flags else 4
    try:
        loop = _fma_loop(lanes)
    except ImportError:
        return dgemm()
    return Peak("FMA loop", lambda: loop(_TURNS), 2.0 * _CHAINS * lanes * _TURNS, True)


def dgemm() -> Peak:
    """Return NumPy's matrix product on one thread."""
    a = np.random.default_rng(0).normal(size=(_SIZE, _SIZE))
    out = np.empty_like(a)
    return Peak("dgemm", lambda: np.matmul(a, a, out=out), 2.0 * _SIZE**3, False)


def _fma_loop(lanes: int) -> Callable[[int], float]:
    from llvmlite import ir
    from numba import njit, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    vector = ir.VectorType(ir.DoubleType(), lanes)

    def splat(value: float) -> ir.Constant:
        return ir.Constant(vector, [value] * lanes)

    @intrinsic
    def chains(typing_context, turns):
        def code(context, builder, signature, arguments):
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f64"
            )
            before = builder.block
            loop = builder.append_basic_block("loop")
            after = builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            counter = builder.phi(ir.IntType(64))
            counter.add_incoming(ir.Constant(ir.IntType(64), 0), before)
            sums = [builder.phi(vector) for _ in range(_CHAINS)]
            for number, value in enumerate(sums):
                value.add_incoming(splat(1.0 + 0.1 * number), before)
                step = builder.call(fma, [value, splat(0.999999), splat(1e-9)])
                value.add_incoming(step, loop)
                sums[number] = step
            turn = builder.add(counter, ir.Constant(ir.IntType(64), 1))
            counter.add_incoming(turn, loop)
            builder.cbranch(builder.icmp_signed("<", turn, arguments[0]), loop, after)
            builder.position_at_end(after)
            total = sums[0]
            for value in sums[1:]:
                total = builder.fadd(total, value)
            parts = [
                builder.extract_element(total, ir.Constant(ir.IntType(32), lane))
                for lane in range(lanes)
            ]
            result = parts[0]
            for part in parts[1:]:
                result = builder.fadd(result, part)
            return result

        return types.float64(types.int64), code

    @njit
    def run(turns):
        return chains(turns)

    run(1)
    return run
