"""Print the coefficients of cpp/include/flowscape/activation/coefficients.hpp.

Polynomials are minimax fits by Remez exchange; the normal tail is a rational least-squares fit,
reweighted until its largest relative error stops falling (Sanathanan-Koerner and Lawson).
Needs mpmath; runs in about half a minute: ``python cpp/tools/fit_coefficients.py``.
"""

from collections.abc import Callable

import mpmath as mp
from minimax import Function, rational_fit, remez


def show(name: str, coefficients: list[mp.mpf], error: mp.mpf | None) -> None:
    print(f"{name}: error 2^{float(mp.log(error, 2)):.1f}" if error else f"{name}: exact")
    print("   ", ", ".join(float(c).hex() for c in coefficients))


def series(first: int, step: int, term: Callable[[int], mp.mpf]) -> Function:
    """Sum of term(first + step k) w^k, for the neighbourhood of 0 where quotients cancel."""
    return lambda w: mp.fsum(term(first + step * k) * w**k for k in range(16))


def near_zero(limit: float, at_zero: Function, elsewhere: Function) -> Function:
    return lambda x: at_zero(x) if abs(x) < limit else elsewhere(x)


def logarithm_table(size: int) -> list[tuple[mp.mpf, float]]:
    """c and -log(c) for c near 1/(1 + j/(size - 1)): of 24 bits, -log(c) nearest to a double."""
    table = [(mp.mpf(1), 0.0)]
    for j in range(1, size):
        first = int(mp.floor(2**24 / (1 + mp.mpf(j) / (size - 1)))) - 1500
        candidates = ((mp.mpf(first + i) / 2**24) for i in range(3001))
        logarithms = [(c, -mp.log(c)) for c in candidates]
        c, value = min(logarithms, key=lambda pair: abs(pair[1] - mp.mpf(float(pair[1]))) / pair[1])
        table.append((c, float(value)))
    return table


def main() -> None:
    mp.mp.dps = 50
    margin, tiny = mp.mpf("1.0001"), mp.mpf(10) ** -12

    half = mp.log(2) / 2 * margin
    show("kExpm1", *remez(
        near_zero(1e-3, series(2, 1, lambda n: 1 / mp.factorial(n)),
                  lambda r: (mp.expm1(r) - r) / r**2),
        lambda r: (r * r / abs(mp.expm1(r)) if r else abs(r)) + tiny, (-half, half), 9))

    def hyperbolic_tangent(w: mp.mpf) -> mp.mpf:
        t = mp.sqrt(w)
        return (mp.tanh(t) - t) / (t * w)

    show("kTanh", *remez(
        near_zero(1e-12, lambda w: -mp.mpf(1) / 3 + mp.mpf(2) / 15 * w, hyperbolic_tangent),
        lambda w: w * (mp.sqrt(w) / mp.tanh(mp.sqrt(w)) if w > 1e-20 else 1) + tiny,
        (mp.mpf(0), mp.mpf("0.2556") ** 2), 6))

    table = logarithm_table(16)
    show("kLogScale", [c for c, _ in table], None)
    show("kMinusLogScale", [mp.mpf(value) for _, value in table],
         max(abs(1 + mp.log(c) / value) for c, value in table[1:]))
    ends = [c * (1 + mp.mpf(e) / 30) - 1 for j, (c, _) in enumerate(table)
            for e in (max(0, 2 * j - 1), min(30, 2 * j + 1))]
    show("kLog1p", *remez(
        near_zero(1e-10, lambda r: r / 3 - mp.mpf(1) / 2, lambda r: (mp.log1p(r) - r) / r**2),
        lambda r: abs(r) + tiny, (min(ends) * margin, max(ends) * margin), 7))

    def logarithm(z: mp.mpf) -> mp.mpf:
        s = mp.sqrt(z)
        return (2 * mp.atanh(s) - 2 * s) / (s * z)

    show("kLog", *remez(
        near_zero(1e-8, series(3, 2, lambda n: mp.mpf(2) / n), logarithm),
        lambda z: z / 2 + tiny, (mp.mpf(0), (3 - 2 * mp.sqrt(2)) ** 2 * margin), 6))

    def alternating(n: int) -> int:
        return -1 if n % 4 == 3 else 1

    def arctangent(w: mp.mpf) -> mp.mpf:
        t = mp.sqrt(w)
        return (mp.atan(t) - t) / (t * w)

    show("kArctan", *remez(
        near_zero(1e-8, series(3, 2, lambda n: mp.mpf(alternating(n)) / n), arctangent),
        lambda w: w + tiny, (mp.mpf(0), mp.tan(mp.pi / 8) ** 2 * margin), 10))

    quarter = (mp.pi / 4) ** 2 * mp.mpf("1.0005")

    def sine(w: mp.mpf) -> mp.mpf:
        t = mp.sqrt(w)
        return (mp.sin(t) - t) / (t * w)

    show("kSine", *remez(
        near_zero(1e-6, series(3, 2, lambda n: alternating(n) / mp.factorial(n)), sine),
        lambda w: w + tiny, (mp.mpf(0), quarter), 5))
    show("kCosine", *remez(
        near_zero(1e-6, series(4, 2, lambda n: alternating(n + 1) / mp.factorial(n)),
                  lambda w: (mp.cos(mp.sqrt(w)) - 1 + w / 2) / w**2),
        lambda w: w * w + tiny, (mp.mpf(0), quarter), 5))

    def hyperbolic_sine(w: mp.mpf) -> mp.mpf:
        t = mp.sqrt(w)
        return (mp.sinh(t) - t) / (t * w)

    show("kSinh", *remez(
        near_zero(1e-8, series(3, 2, lambda n: 1 / mp.factorial(n)), hyperbolic_sine),
        lambda w: w + tiny, (mp.mpf(0), margin), 6))

    slope = 2 / mp.sqrt(mp.pi)
    error_function = near_zero(
        1e-8,
        lambda w: slope * series(0, 1, lambda k: (-1) ** k / mp.factorial(k) / (2 * k + 1))(w) - 1,
        lambda w: mp.erf(mp.sqrt(w)) / mp.sqrt(w) - 1)
    show("kErf", *remez(error_function, lambda w: 1 / (error_function(w) + 1),
                        (mp.mpf(0), margin), 12))

    # F(y) = Phi(-y) exp(y²/2) (1 + slope y), which is 1/2 at both ends; 1/2 is taken off it.
    slope = mp.mpf(float(mp.sqrt(mp.pi / 2)))
    numerator, denominator, error = rational_fit(
        lambda y: mp.exp(y * y / 2) * mp.erfc(y / mp.sqrt(2)) / 2 * (1 + slope * y),
        mp.mpf(39), (11, 11), mp.mpf(4))
    excess = [above - below / 2 for above, below in zip(numerator, denominator, strict=True)]
    show("kTailSlope", [slope], None)
    show("kTailNumerator", excess[1:], error)  # the first is zero to that error
    show("kTailDenominator", denominator, error)


if __name__ == "__main__":
    main()
