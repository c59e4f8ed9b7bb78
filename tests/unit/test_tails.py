"""Tails of known laws: which is recognised, the limit and its error bar."""

import numpy as np
import pytest

from flowscape.flow.tails import Law, Tails, examine_tails

LIMIT = np.array([0.3, -1.2, 2.0])
ONCE = np.array([1.0, 0.5, -0.2])
TWICE = np.array([0.2, -0.7, 0.4])


def examine(curve, t_end=1e10):
    """Examine one run that follows curve(t) -> (T, 3)."""
    tails = Tails.unknown(1)
    limit, error = examine_tails(
        np.array([0]),
        np.array([t_end]),
        curve(np.array([t_end])),
        lambda rows, times: np.broadcast_to(curve(times), (len(rows), len(times), 3)),
        tails,
        np.ones(3),
    )
    return tails.single(), limit[0], error[0]


def power(q, shift=5.0, noise=0.0):
    rng = np.random.default_rng(3)

    def curve(t):
        s = (t + shift)[:, None] ** -q
        clean = LIMIT + ONCE * s + TWICE * s**2 + 0.3 * s**3
        return clean + noise * rng.normal(size=clean.shape)

    return curve


@pytest.mark.parametrize("q", [1 / 2, 1.0, 1 / 3])
def test_power_law(q):
    tails, limit, error = examine(power(q), 1e10 if q < 0.6 else 1e5)
    assert tails.law == Law.POWER
    assert tails.exponent == pytest.approx(q, abs=0.01)
    assert tails.lojasiewicz == pytest.approx((q + 1) / (2 * q + 1), abs=0.01)
    way = np.linalg.norm(power(q)(np.array([1e10 if q < 0.6 else 1e5]))[0] - LIMIT)
    assert np.linalg.norm(limit - LIMIT) <= error <= (1.01 * way if q < 0.4 else 0.01 * way)


def test_a_slow_law_has_an_error_bar_of_its_own_length():
    _, limit, error = examine(power(1 / 4))
    assert error >= 0.999 * np.linalg.norm(power(1 / 4)(np.array([1e10]))[0] - limit)


def test_noise_widens_the_error_bar():
    _, _, narrow = examine(power(1 / 2))
    tails, limit, wide = examine(power(1 / 2, noise=1e-8))
    assert tails.law == Law.POWER
    assert wide > 3 * narrow
    assert np.linalg.norm(limit - LIMIT) <= wide


def test_a_late_turn_from_one_power_to_another_is_not_a_law():
    """t^-1/4 that becomes t^-1/2 within the window: the next one is unknown."""

    def curve(t):
        return LIMIT + ONCE * (t[:, None] ** -0.25 * (1.0 + t[:, None] / 1e9) ** -0.25)

    tails, _, error = examine(curve)
    left = np.linalg.norm(curve(np.array([1e10]))[0] - LIMIT)
    assert tails.law == Law.UNKNOWN
    assert error >= left


def test_exponential():
    rate = 3e-4
    tails, _, _ = examine(lambda t: LIMIT + ONCE * np.exp(-rate * t)[:, None], 8e4)
    assert tails.law == Law.EXPONENTIAL
    assert tails.rate == pytest.approx(rate, rel=1e-3)
    assert tails.lojasiewicz == 0.5


@pytest.mark.parametrize(("p", "t_end"), [(1 / 4, 1e16), (1 / 3, 1e12), (1 / 2, 1e9)])
def test_growth_by_a_power(p, t_end):
    tails, _, error = examine(lambda t: LIMIT + ONCE * t[:, None] ** p + TWICE, t_end)
    assert tails.law == Law.ESCAPE
    assert tails.exponent == pytest.approx(p, abs=0.01)
    assert error == np.inf


def test_growth_by_the_logarithm():
    tails, _, error = examine(lambda t: LIMIT + np.abs(ONCE) * np.log(t)[:, None] + [1, 4, 1])
    assert tails.law == Law.ESCAPE
    assert tails.exponent == 0.0
    assert error == np.inf


def test_small_growth_is_not_an_escape():
    """A power that has not come far may yet turn round."""
    tails, _, _ = examine(lambda t: LIMIT + ONCE * (t[:, None] / 1e10) ** 0.25)
    assert tails.law == Law.UNKNOWN


def test_noise_alone_is_unknown():
    rng = np.random.default_rng(5)
    tails, _, _ = examine(lambda t: LIMIT + 1e-9 * rng.normal(size=(len(t), 3)))
    assert tails.law == Law.UNKNOWN


def test_what_is_found_does_not_depend_on_the_batch():
    curves = [power(1 / 2), power(1 / 2, shift=1e6), power(1.0), lambda t: LIMIT + 0 * t[:, None]]
    ends = np.array([1e10, 3e9, 2e10, 1e4])

    def together(rows, times):
        return np.stack([curves[row](times) for row in rows])

    tails = Tails.unknown(4)
    limit, error = examine_tails(
        np.arange(4), ends, np.array([curves[k](ends[k : k + 1])[0] for k in range(4)]), together,
        tails, np.ones(3),
    )  # fmt: skip
    for k, curve in enumerate(curves):
        alone, one, bar = examine(curve, ends[k])
        np.testing.assert_array_equal(limit[k], one)
        np.testing.assert_array_equal(error[k], bar)
        assert tails.law[k] == alone.law


def test_a_run_that_stands_still_is_no_law():
    """Steps of exactly zero, next to one that grows: their logarithms are infinite."""
    tails = Tails.unknown(2)
    times = []

    def follow(rows, lattice):
        times.append(lattice)
        grown = 1.0 + np.outer(lattice**0.25, ONCE)
        still = np.where(lattice[:, None] < 3e8, LIMIT + 1e-3, LIMIT)
        return np.stack([still, grown])

    ends = np.stack([LIMIT, 1.0 + 1e16**0.25 * ONCE])
    limit, error = examine_tails(
        np.arange(2), np.array([1e16, 1e16]), ends, follow, tails, np.ones(3)
    )
    assert tails.law.tolist() == [Law.UNKNOWN, Law.ESCAPE]
    assert error[1] == np.inf
    assert np.isnan(limit).all()


@pytest.mark.parametrize(("unit", "law"), [(1e-2, Law.ESCAPE), (1.0, Law.UNKNOWN)])
def test_growth_is_large_in_units_of_the_data(unit, law):
    """Parameters of 100: far where the data's own unit is 1e-2, near where it is 1."""
    tails = Tails.unknown(1)
    examine_tails(
        np.array([0]),
        np.array([1e12]),
        0.1 * 1e3 * ONCE[None],
        lambda rows, times: (0.1 * np.outer(times**0.25, ONCE))[None],
        tails,
        np.full(3, unit),
    )
    assert tails.law[0] == law
