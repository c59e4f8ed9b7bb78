"""Ranks of Jacobians and separating inputs, against multiprecision."""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.branches.partitions import compositions, integer_partitions
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer
from flowscape.separation import jacobian_rank, separating_inputs
from flowscape.separation.features import at_point
from flowscape.separation.imperfect import rank_drops
from flowscape.separation.multiprecision import exact_jacobian
from flowscape.separation.outputs import at_outputs

SHIFTED = {"name": "tanh", "h": 0.3}


def types(m):
    """Sizes of labelled and of free groups of all kinds of branches with m neurons."""
    for m0 in range(1, m + 1):
        for r in range(m0, m + 1):
            for spent in range(m0, m - (r - m0) + 1):
                for labelled in compositions(spent, m0):
                    for free in integer_partitions(m - spent, r - m0):
                        yield labelled, free


def member(net, labelled, free, rng):
    """A generic point of a branch with groups of these sizes."""
    theta, k = np.empty(net.n_params), 0
    parts = net.unpack(theta)
    for number, size in enumerate((*labelled, *free)):
        a = rng.normal(size=size)
        if number >= len(labelled):
            a -= a.mean() if size > 1 else a
        parts.a[k : k + size] = a
        parts.w[k : k + size] = rng.normal(size=net.inputs)
        if net.bias:
            parts.b[k : k + size] = rng.normal()
        k += size
    return theta


@pytest.mark.parametrize("widths", [(1, 2), pytest.param((3, 4), marks=pytest.mark.slow)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ["exp", "tanh", SHIFTED, "sigmoid", "softplus"])
def test_the_rank_of_every_kind_of_branch_in_multiprecision(activation, bias, widths, rng):
    """min(n, r + (r - l) D); exp with bias: D -> d, as a e^b is one parameter."""
    for m in range(widths[0], widths[1] + 1):
        for d in (1, 2):
            net = TwoLayer(m, d, activation, bias)
            for labelled, free in types(m):
                r, single = len(labelled) + len(free), free.count(1)
                width = d if activation == "exp" else net.neuron_inputs
                rho = r + (r - single) * width
                theta = member(net, labelled, free, rng)
                for n in (rho - 1, rho + 1):
                    x = 1.5 * rng.normal(size=(n, d))
                    exact = jacobian_rank(net, theta, x, digits=60)
                    assert exact.rank == exact.most == min(n, rho), (labelled, free, n)
                    assert exact.gap > 1e10 if n > rho else exact.gap == np.inf
                    quick = jacobian_rank(net, theta, x)
                    assert quick.rank == min(n, rho)
                    assert quick.certified


CONSTANTS = {
    "zeros and curved": (3, 1, "tanh", True, False, 0),
    "three zeros": (
        2,
        1,
        [{"name": "tanh", "s": 3.0}, {"name": "tanh", "c": -1.5}],
        True,
        False,
        0,
    ),
    "sheet and curved": (3, 1, "tanh", True, False, 1),
    "curved with output bias": (3, 1, "tanh", True, True, 0),
    "even": (2, 1, "gauss", True, True, 0),
    "no symmetry": (2, 1, ["tanh", "softplus"], True, False, 1),
    "silent": (3, 1, "tanh", False, False, 0),
    "silent with output bias": (2, 1, "tanh", False, True, 0),
    "level": (3, 1, SHIFTED, False, True, 0),
    "level, flat": (2, 1, "gauss", False, True, 0),
}


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("name", CONSTANTS)
def test_the_rank_with_a_constant_group_in_multiprecision(name, d, rng):
    """A constant group adds the features 1 and x (x only where sigma' is not 0, 1 where it varies).

    Without bias a neuron at w = 0 has sigma(0) and sigma'(0) x: 1 counts if sigma(0) != 0.
    """
    m, m0, activation, bias, output_bias, flat = CONSTANTS[name]
    small = TwoLayer(m0 + flat, d, activation, bias, 1, output_bias)
    theta = np.random.default_rng([m, d]).normal(size=small.n_params)
    small.unpack(theta).w[m0:] = 0.0
    net = TwoLayer(m, d, activation, bias, 1, output_bias)
    kinds = set()
    for orbit in branches(net, Teacher(small, theta)).orbits():
        branch = orbit.representative
        kind = branch.shape.constant.kind
        kinds.add(kind)
        one = output_bias or (bias and kind != "none")
        slope = kind in ("zeros", "sheet", "curved") or (
            kind in ("silent", "level") and activation != "gauss"
        )
        rho = branch.r + (branch.r - branch.l) * net.neuron_inputs + one + d * slope
        point = branch.sample(rng)
        for n in (rho - 1, rho + 1):
            x = 1.5 * rng.normal(size=(n, d))
            exact = jacobian_rank(net, point, x, digits=60)
            assert exact.rank == min(n, rho), (branch.name, n)
            assert jacobian_rank(net, point, x).rank == min(n, rho)
        assert at_point(branch, point).rank == rho
        assert at_outputs(branch, point).rank == rho
    assert kinds - {"none"}


OUTPUTS = [
    ("exp", False, False, 2),
    ("exp", True, False, 2),
    (SHIFTED, True, True, 3),
    ("tanh", True, False, 2),
    ("gauss", False, True, 2),
    ("sigmoid", True, False, 2),
    ("softplus", False, False, 2),
    ("softplus", True, False, 3),
]


@pytest.mark.parametrize(("activation", "bias", "output_bias", "outputs"), OUTPUTS)
def test_the_rank_with_several_outputs_in_multiprecision(
    activation, bias, output_bias, outputs, rng
):
    """The upper bound is reached on many inputs: by 60 digits, and where doubles prove it.

    Parameters are small dyadic numbers, so that equal vectors and dependent weights are exact.
    """
    d = 2
    net = TwoLayer(4, d, activation, bias, outputs, output_bias)
    ranks = set()
    for _ in range(6):
        theta = rng.integers(-6, 7, size=net.n_params) / 4.0
        parts = net.unpack(theta)
        parts.w[1] = parts.w[0]
        parts.w[2] = rng.choice([-1.0, 1.0, 0.0]) * parts.w[0]
        parts.a[1] = rng.choice([-1.0, 0.0, 0.5]) * parts.a[0]
        if bias:
            parts.b[1] = parts.b[0]
            parts.b[2] = parts.b[0] if parts.w[2] @ parts.w[0] > 0 else -parts.b[0]
        x = 1.5 * rng.normal(size=(2 * net.n_params, d))
        exact = jacobian_rank(net, theta, x, digits=60)
        assert exact.rank == exact.most < net.n_params
        assert exact.certified
        assert exact.gap > 1e10
        quick = jacobian_rank(net, theta, x)
        assert (quick.rank, quick.certified) == (exact.rank, True)
        ranks.add(exact.rank)
        two = jacobian_rank(net, theta, x[:2])
        assert two.rank == two.most == min(2 * outputs, exact.rank)
    assert len(ranks) > 1


def test_the_jacobian_of_several_outputs_is_the_derivative(rng):
    net = TwoLayer(2, 2, "sigmoid", True, 3, True)
    theta, x = rng.normal(size=net.n_params), rng.normal(size=(4, 2))
    with mp.workdps(30):
        exact = np.array(exact_jacobian(net, theta, x, 30), dtype=np.float64)
    step = 1e-6 * np.eye(net.n_params)
    slopes = [(net(theta + h, x) - net(theta - h, x)).ravel() / 2e-6 for h in step]
    np.testing.assert_allclose(exact, np.array(slopes).T, atol=1e-9)


def test_certificates_hold_where_the_matrix_is_nearly_singular(rng):
    """Two incoming vectors 1e-k apart: doubles give up, fifty digits do not."""
    net = TwoLayer(2, 1, "exp", False)
    digits = []
    for k in range(2, 9):
        theta = np.array([1.0, 0.5, -0.7, 0.5 + 10.0**-k])
        x = rng.normal(size=(4, 1))
        found = jacobian_rank(net, theta, x)
        assert found.rank == found.most == 4
        assert found.certified
        digits.append(found.digits)
    assert digits[0] == 16
    assert digits[-1] == 50


def test_an_uncertified_rank_is_the_one_of_more_digits():
    """Collinear inputs in the plane lose rank; the upper bound does not know it."""
    net = TwoLayer(2, 2, "exp", False)
    theta = np.array([1.0, 0.3, 0.1, -0.5, -0.8, 0.4])
    x = np.array([[t, 2.0 * t] for t in (-1.0, -0.5, 0.25, 0.75, 1.5)])
    found = jacobian_rank(net, theta, x)
    assert (found.rank, found.most, found.certified, found.digits) == (4, 5, False, 50)


def test_silent_and_constant_neurons_are_counted():
    net = TwoLayer(3, 1, "tanh", False)
    x = np.linspace(-1.0, 2.0, 7)
    # a neuron with w = 0: its feature is 0, its derivative x
    assert jacobian_rank(net, [1.0, 0.5, 0.7, 0.0, -0.2, -0.5], x).rank == 3
    net = TwoLayer(2, 1, "tanh", True)
    found = jacobian_rank(net, [1.0, 0.5, 0.2, 0.7, 0.0, 0.4], x)
    assert (found.rank, found.certified) == (5, True)


def test_separating_inputs_by_a_determinant_in_multiprecision(rng):
    net = TwoLayer(3, 1, "exp", False)
    theta = np.array([1.0, 0.4, 2.0, -0.9, 3.0, 0.4])  # two different vectors
    found = separating_inputs(net, theta)
    assert found.x.shape == found.shape == (4, 4) or found.shape == (4, 4)
    assert found.certified
    with mp.workdps(40):
        rows = []
        for x in found.x[:, 0].tolist():
            e = [mp.exp(mp.mpf(w) * x) for w in (-0.9, 0.4)]
            rows.append([e[0], e[0] * x, e[1], e[1] * x])
        values = mp.svd_r(mp.matrix(rows), compute_uv=False)
        assert found.smallest == pytest.approx(float(values[3]), rel=1e-9)
    same = separating_inputs(net, theta, [0.1, 0.5, 0.5, 2.0])
    assert not same.certified
    assert same.gap < 1.0
    few = separating_inputs(net, theta, [0.1])
    assert few.certified  # one row that is not 0
    assert separating_inputs(net, theta, n=2).x.shape == (2, 1)
    with pytest.raises(ProblemError, match="kink"):
        separating_inputs(TwoLayer(1, 1, "relu"), np.ones(3))
    two = TwoLayer(3, 1, "exp", False, 2)  # the features are those of one output
    more = np.insert(theta.reshape(3, 2), 1, 7.0, axis=1).ravel()
    assert separating_inputs(two, more).smallest == found.smallest


def test_rank_drops_are_zeros_of_the_determinant(family, rng):
    """The 4 x 4 determinant of (sigma, sigma', sigma' x, sigma(w2 x + b2)) (errata SS 6)."""
    f = family(2, 1, 1, "tanh", True)
    branch = next(b for b in f if b.l == 1 and b.is_affine)
    x = rng.normal(size=(4, 1))
    free = branch.groups[1][0]
    start, end = branch.sample(rng), branch.sample(rng)
    start[3 * free + 1 : 3 * free + 3] = (-3.0, 2.0)
    end[3 * free + 1 : 3 * free + 3] = (3.0, 1.0)
    w, b = branch.target.incoming[0]

    def determinant(t):
        with mp.workdps(40):
            u = (1 - t) * mp.mpf(-3) + t * 3
            c = (1 - t) * mp.mpf(2) + t
            rows = []
            for s in x[:, 0].tolist():
                value = mp.tanh(mp.mpf(w) * s + mp.mpf(b))
                slope = 1 - value**2
                rows.append([value, slope * s, slope, mp.tanh(u * s + c)])
            return mp.det(mp.matrix(rows))

    drops = rank_drops(branch, x, start, end)
    assert drops
    for drop in drops:
        low, high = determinant(drop.t - 1e-8), determinant(drop.t + 1e-8)
        assert low * high < 0
        assert drop.width < 1e-7
        assert branch.contains(drop.theta, 1e-9)
    grid = [mp.sign(determinant(t)) for t in np.linspace(0.0, 1.0, 401)]
    assert len(drops) == sum(a != b for a, b in pairwise(grid))
    with pytest.raises(ProblemError, match="must hold 4"):
        rank_drops(branch, x[:3], start, end)


@pytest.mark.parametrize(
    ("activation", "theta", "rank"),
    [
        (SHIFTED, [1.0, 0.7, 0.0, 1.0, 0.7, 1e-18], 6),
        ("sigmoid", [1.0, 0.0, -800.0], 2),
        ([{"name": "sigmoid", "c": 2.0, "s": 2.0}, {"name": "const", "c": -1.0}], [0, 0, 1e-20], 1),
    ],
)
def test_the_bound_believes_no_underflow_and_no_rounding(activation, theta, rank):
    net = TwoLayer(len(theta) // 3, 1, activation)
    x = np.linspace(-1.0, 2.0, 9)
    with mp.workdps(90):
        assert jacobian_rank(net, theta, x, digits=90).rank == rank
    found = jacobian_rank(net, theta, x)
    assert found.most >= rank
    assert found.rank == rank or not found.certified
