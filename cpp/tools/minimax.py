"""Minimax polynomials by Remez exchange, and rational fits of small relative error."""

from collections.abc import Callable

import mpmath as mp

Function = Callable[[mp.mpf], mp.mpf]


def chebyshev_points(low: mp.mpf, high: mp.mpf, count: int) -> list[mp.mpf]:
    """Extrema of the Chebyshev polynomial of degree ``count - 1`` on an interval, ascending."""
    angles = (mp.pi * (count - 1 - i) / (count - 1) for i in range(count))
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(angle) for angle in angles]


def alternating_extrema(errors: list[mp.mpf], wanted: int) -> list[int]:
    """Indices of ``wanted`` consecutive extrema of alternating sign."""
    extrema, best = [], 0
    for i, error in enumerate(errors):
        if error * errors[best] < 0:
            extrema.append(best)
            best = i
        elif abs(error) > abs(errors[best]):
            best = i
    extrema.append(best)
    while len(extrema) > wanted:
        extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
    return extrema


def remez(
    function: Function, weight: Function, interval: tuple[mp.mpf, mp.mpf], degree: int
) -> tuple[list[mp.mpf], mp.mpf]:
    """Polynomial p minimising max |weight (function - p)|, and that maximum."""
    unknowns = degree + 2
    points = chebyshev_points(*interval, unknowns)
    grid = chebyshev_points(*interval, 60 * unknowns + 1)
    values, weights = [function(x) for x in grid], [weight(x) for x in grid]
    for _ in range(12):
        system = mp.matrix(unknowns, unknowns)
        for i, x in enumerate(points):
            for k in range(degree + 1):
                system[i, k] = x**k
            system[i, degree + 1] = (-1) ** i / weight(x)
        solution = mp.lu_solve(system, mp.matrix([function(x) for x in points]))
        coefficients = list(solution)[: degree + 1]
        errors = [
            w * (value - mp.polyval(coefficients[::-1], x))
            for w, value, x in zip(weights, values, grid, strict=True)
        ]
        extrema = alternating_extrema(errors, unknowns)
        points = [grid[i] for i in extrema]
        sizes = [abs(errors[i]) for i in extrema]
        if max(sizes) < 1.02 * min(sizes):
            break
    return coefficients, max(abs(error) for error in errors)


def rational_fit(
    function: Function, largest: mp.mpf, degrees: tuple[int, int], middle: mp.mpf
) -> tuple[list[mp.mpf], list[mp.mpf], mp.mpf]:
    """Numerator, denominator (constant 1) and relative error of a fit on [0, largest]."""
    above, below = degrees
    edge = (largest - middle) / (largest + middle)
    count = 6 * (above + below + 2)
    nodes = [
        (edge - 1) / 2 + (edge + 1) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
        for i in range(count)
    ]
    points = [(1 + t) / (1 - t) for t in nodes]  # in units of `middle`
    values = [function(middle * x) for x in points]
    balance, lawson = [mp.mpf(1)] * count, [mp.mpf(1)] * count
    best = None
    for _ in range(14):
        system, right = mp.matrix(count, above + 1 + below), mp.matrix(count, 1)
        for i, (x, value) in enumerate(zip(points, values, strict=True)):
            weight = balance[i] * mp.sqrt(lawson[i])
            for k in range(above + 1):
                system[i, k] = weight * x**k / value
            for k in range(1, below + 1):
                system[i, above + k] = -weight * x**k
            right[i] = weight
        solution = list(mp.qr_solve(system, right)[0])
        numerator, denominator = solution[: above + 1], [mp.mpf(1), *solution[above + 1 :]]
        bottoms = [mp.polyval(denominator[::-1], x) for x in points]
        errors = [
            abs(mp.polyval(numerator[::-1], x) / bottom / value - 1)
            for x, bottom, value in zip(points, bottoms, values, strict=True)
        ]
        if best is None or max(errors) < best[2]:
            best = (numerator, denominator, max(errors))
        balance = [1 / bottom for bottom in bottoms]
        lawson = [w * error for w, error in zip(lawson, errors, strict=True)]
        mean = mp.fsum(lawson) / count
        lawson = [w / mean for w in lawson]
    numerator, denominator, error = best
    unscaled = [[c / middle**k for k, c in enumerate(part)] for part in (numerator, denominator)]
    return unscaled[0], unscaled[1], error
