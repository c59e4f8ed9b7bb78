"""Connected components of Q*, and paths of zero loss inside them, for all kinds of families."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from zero_loss import homes, walked

from flowscape.branches import connected_components
from flowscape.critical import connect
from flowscape.errors import ProblemError

COUPLED = [
    ("sigmoid", 2, 1, {}),
    ("sigmoid", 3, 2, {"d": 2, "outputs": 2}),
    ("sigmoid", 4, 2, {"d": 2}),
    ("sigmoid", 3, 2, {"bias": False, "weights": (1.0, -1.0)}),
    ("sigmoid", 3, 1, {"flat": 1}),
    ("sigmoid", 3, 1, {"output_bias": True, "outputs": 2}),
    ("lowered", 3, 2, {}),
    ("softplus", 3, 1, {"bias": False}),
    ("softplus", 3, 1, {"bias": False, "flat": 1}),
    ("softplus", 4, 2, {"d": 2}),
    ("softplus", 4, 2, {"output_bias": True}),
    ("softplus", 4, 2, {"bias": False, "weights": (1.0, -1.0)}),
    ("softplus", 5, 2, {}),
    ("silu", 3, 1, {"flat": 1}),
    ("silu", 6, 3, {"d": 3, "bias": False}),
    ("leaning", 5, 3, {}),
    ("leaning", 2, 0, {"flat": 1}),
]
MATRIX = [
    ("softplus", 2, 2, {"bias": False, "outputs": 2}),
    ("softplus", 3, 2, {"bias": False, "outputs": 2}),
    ("softplus", 2, 1, {"outputs": 2, "flat": 1}),
    ("softplus", 3, 1, {"d": 2, "outputs": 3, "output_bias": True}),
    ("softplus", 4, 2, {"bias": False, "outputs": 2, "d": 2, "weights": (1.0, 1.5)}),
    ("softplus", 5, 2, {"bias": False, "outputs": 3}),
    ("softplus", 6, 1, {"outputs": 2}),
    ("softplus", 5, 0, {"bias": False, "outputs": 2, "d": 2}),
    ("leaning", 6, 1, {"outputs": 2, "d": 2, "output_bias": True}),
]
LINES = [
    ("relu", 2, 1, {}),
    ("relu", 4, 2, {"d": 2, "output_bias": True}),
    ("leaky", 5, 3, {"d": 2}),
    ("relu", 6, 3, {"d": 3}),
    ("relu", 3, 0, {"d": 2}),
    ("abs", 3, 2, {"d": 2}),
    ("abs", 2, 2, {"d": 2}),
]
PLAIN = [("tanh", 2, 1, {"flat": 1}), ("bumpy", 3, 1, {"flat": 1}), ("gauss", 2, 2, {})]
CASES = [
    *COUPLED,
    *MATRIX,
    *((f, m, t, {"bias": False, **more}) for f, m, t, more in LINES),
    *PLAIN,
]


def gap(case):
    """How far networks are from the target, by a plain network."""

    def largest(points, rng):
        x = 1.5 * rng.normal(size=(30, case.d))
        return np.abs(case.forward(points, x) - case.target(x)).max(axis=(1, 2))

    return largest


@pytest.mark.parametrize(("formula", "m", "m0", "more"), CASES)
def test_there_is_a_path_exactly_within_a_component(make_case, rng, formula, m, m0, more):
    case = make_case(formula, m, m0, **more)
    family, total = case.family, case.family.count()
    home, parts = homes(family), connected_components(family)
    assert sorted(home) == list(range(total))
    found = {True: 0, False: 0}
    for turn in range(20):
        i = int(rng.integers(total))
        near = parts[int(rng.choice(home[i]))]
        j = int(rng.choice(near)) if turn % 2 else int(rng.integers(total))
        a, b = family[i].sample(rng), family[j].sample(rng)
        together = bool(set(home[i]) & set(home[j]))
        if i == j and len(home[i]) == 2:
            continue
        if together:
            walked(case.family, a, b, gap(case), rng)
        else:
            with pytest.raises(ProblemError, match="different connected components"):
                connect(family, a, b)
        found[together] += 1
    assert found[True] > 0
    assert (found[False] > 0) == (len(parts) > 1)


@pytest.mark.parametrize(
    ("formula", "m", "m0", "more"),
    [
        ("exp", 3, 2, {"bias": False}),
        ("tanh", 2, 2, {"bias": False}),
        ("tanh", 3, 2, {"bias": False}),
        ("sigmoid", 3, 1, {"bias": False}),
        ("sigmoid", 3, 2, {"bias": False, "weights": (1.0, -1.0)}),
        ("sigmoid", 3, 2, {"bias": False, "outputs": 2}),
        ("exp", 3, 1, {"bias": False, "flat": 1, "output_bias": True}),
    ],
)
def test_components_are_chains_of_closures_that_meet(make_case, formula, m, m0, more):
    """Of affine families, by the exact intersections of all pairs."""
    family = list(make_case(formula, m, m0, **more).family)
    root = list(range(len(family)))
    for i, j in combinations(range(len(family)), 2):
        if root[i] != root[j] and family[i].intersection(family[j]) is not None:
            root = [root[i] if r == root[j] else r for r in root]
    expected = sorted(tuple(k for k, r in enumerate(root) if r == one) for one in set(root))
    assert connected_components(make_case(formula, m, m0, **more).family) == expected


@pytest.mark.parametrize(
    ("formula", "m", "m0", "more", "number"),
    [
        ("softplus", 3, 1, {"flat": 1}, 1),
        ("lowered", 2, 1, {}, 1),
        ("softplus", 3, 2, {"bias": False, "outputs": 2}, 3),
        pytest.param(
            "softplus",
            4,
            2,
            {"d": 2, "bias": False, "outputs": 2, "weights": (1.0, 1.5)},
            6,
            marks=pytest.mark.slow,
        ),
        pytest.param("silu", 3, 1, {"flat": 1}, 40, marks=pytest.mark.slow),
        pytest.param("lowered", 2, 1, {}, 40, marks=pytest.mark.slow),
        pytest.param("softplus", 4, 2, {"d": 2, "bias": False}, 40, marks=pytest.mark.slow),
    ],
)
def test_closures_of_different_components_stay_apart(make_case, rng, formula, m, m0, more, number):
    """By projecting to and fro; closures that meet come together so."""
    family = list(make_case(formula, m, m0, **more).family)
    home = homes(make_case(formula, m, m0, **more).family)
    pairs = [
        p for p in combinations(range(len(family)), 2) if not set(home[p[0]]) & set(home[p[1]])
    ]
    for pick in rng.permutation(len(pairs))[:number]:
        one, other = (family[k] for k in pairs[pick])
        points = np.stack([one.sample(rng) for _ in range(4)])
        for _ in range(40):
            points = one.project(other.project(points))
        assert other.distance(points).min() > 1e-2


@pytest.mark.parametrize(
    ("formula", "m", "m0", "more", "sizes", "twice"),
    [
        # {1,2}=t, two single ones free; -k=t and silent; the mixed group of one weight
        ("sigmoid", 2, 1, {"bias": False}, [1, 1, 3], 0),
        ("sigmoid", 3, 1, {"bias": False}, [31], 0),
        # both signs turned need a pair, which is on no target line: 12 places, two signs each
        ("softplus", 4, 2, {"d": 2, "bias": False}, [1] * 24 + [86], 12),
        # parallel weights of two outputs: what turns leave has rank one as well
        (
            "softplus",
            4,
            2,
            {"d": 2, "bias": False, "outputs": 2, "weights": (1.0, 1.5)},
            [1] * 24 + [86],
            12,
        ),
        # else rank two, which one pair cannot make
        ("softplus", 4, 2, {"d": 2, "bias": False, "outputs": 2}, [86], 0),
        # d = 1, one neuron turned and the other mixed: 2 * 3! places
        ("softplus", 3, 2, {"bias": False, "outputs": 2}, [1] * 12 + [12], 0),
        ("softplus", 3, 2, {"bias": False, "outputs": 2, "d": 2}, [12], 0),
        # on one line it is on that of a target neuron
        ("softplus", 4, 2, {"d": 1, "bias": False}, [242], 0),
        # three independent mixed groups of six neurons: single points, 6! / 1 places
        ("softplus", 3, 0, {"d": 2, "bias": False}, [5], 0),
        ("relu", 4, 2, {"d": 2, "bias": False}, [1] * 24 + [62], 12),
        ("abs", 2, 2, {"d": 2, "bias": False}, [1] * 8, 0),
        ("relu", 2, 1, {"d": 1, "bias": False}, [3], 0),
    ],
)
def test_components_by_hand(make_case, formula, m, m0, more, sizes, twice):
    family = make_case(formula, m, m0, **more).family
    assert sorted(map(len, connected_components(family))) == sizes
    assert sum(len(home) == 2 for home in homes(family).values()) == twice


def test_a_pair_that_meets_no_target_neuron_keeps_the_sign_of_its_weight(make_case, rng):
    case = make_case("softplus", 4, 2, d=2)
    family = case.family
    home = homes(family)
    branch = next(family[i] for i in home if len(home[i]) == 2)
    (pair,) = branch.coupling.free
    by_sign = {1.0: [], -1.0: []}
    while min(map(len, by_sign.values())) < 2:
        theta = branch.sample(rng)
        weight = family.setting.split(theta[None])[0][0, pair.neurons[0], 0]
        by_sign[np.sign(weight)].append(theta)
    for points in by_sign.values():
        path = walked(case.family, points[0], points[1], gap(case), rng)
        assert not path.is_polygon
    with pytest.raises(ProblemError, match="sign of its weight"):
        connect(family, by_sign[1.0][0], by_sign[-1.0][0])


def test_lengths_of_curved_sides_against_a_fine_polygon(make_case, rng):
    cases = [
        (make_case("softplus", 4, 2, d=2), "products"),
        (make_case("silu", 2, 1, flat=1), "bias"),
        (make_case("relu", 2, 2, d=2, bias=False), "products"),
        (make_case("tanh", 2, 1, flat=1), "bias"),
    ]
    for case, word in cases:
        family, seen = case.family, 0
        for i in range(family.count()):
            a, b = family[i].sample(rng), family[i].sample(rng)
            try:
                path = connect(family, a, b)
            except ProblemError:
                continue
            for side, curve in path.curves.items():
                seen += word in path.notes[side]
                t = np.linspace(0.0, 1.0, 4_001)
                points = curve.at(t)
                np.testing.assert_allclose(points[0], path.vertices[side], atol=1e-12)
                np.testing.assert_allclose(points[-1], path.vertices[side + 1], atol=1e-12)
                steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
                middle = curve.speed(0.5 * (t[1:] + t[:-1]))
                np.testing.assert_allclose(steps / (t[1] - t[0]), middle, rtol=1e-5)
            if seen > 3:
                break
        assert seen > 0


@pytest.mark.parametrize(
    ("m", "m0", "more"),
    [
        (8, 3, {"bias": False, "outputs": 2, "d": 2}),
        (8, 3, {"bias": False, "outputs": 2, "d": 2, "weights": (1.0, -1.0, 2.0)}),
        (8, 3, {"bias": False, "outputs": 2, "d": 3}),
        (10, 3, {"bias": False, "outputs": 3, "d": 3}),
        (8, 2, {"outputs": 3, "flat": 1}),
        (9, 2, {"outputs": 3, "d": 2, "output_bias": True}),
    ],
)
def test_just_enough_neurons_join_all_networks_with_several_outputs(make_case, rng, m, m0, more):
    """Orbits are picked evenly, so that many groups are mixed."""
    case = make_case("softplus", m, m0, **more)
    family, sides = case.family, 0
    for _ in range(12):
        orbits = rng.integers(len(family.shapes), size=2).tolist()
        spans = [((0, *family.ends)[orbit], family.ends[orbit]) for orbit in orbits]
        a, b = (family[int(rng.integers(*span))].sample(rng) for span in spans)
        sides = max(sides, len(walked(family, a, b, gap(case), rng).notes))
    assert sides > 20


@pytest.mark.parametrize(
    ("m", "more", "few", "enough"),
    [
        (4, {"d": 2, "bias": False, "outputs": 2}, 3, 6),
        (5, {"d": 3, "bias": False, "outputs": 2}, 3, 6),
        (4, {"outputs": 3}, 3, 6),
        (5, {"d": 2, "outputs": 2, "output_bias": True}, 3, 6),
    ],
)
def test_numbers_of_neurons_that_are_not_derived_are_refused(make_case, rng, m, more, few, enough):
    words = f"width={m} with outputs=.* use width <= {few} or width >= {enough}"
    family = make_case("softplus", m, 1, **more).family
    with pytest.raises(ProblemError, match=words):
        connected_components(family)
    with pytest.raises(ProblemError, match=words):
        connect(family, family[0].sample(rng), family[1].sample(rng))
    assert len(connected_components(make_case("softplus", few, 1, **more).family)) == 1


def test_a_path_back_is_the_path(make_case, rng):
    case = make_case("softplus", 4, 1, d=2)
    a, b = case.family[5].sample(rng), case.family[60].sample(rng)
    path = connect(case.family, a, b)
    back = path.reversed()
    assert back.length == pytest.approx(path.length, rel=1e-12)
    np.testing.assert_allclose(back.points(50), path.points(50)[::-1], atol=1e-3)
    assert connect(case.family, a, a).length == 0.0


def test_points_must_be_perfect(make_case, rng):
    for formula, more in (
        ("sigmoid", {}),
        ("softplus", {}),
        ("softplus", {"output_bias": True}),
        ("relu", {"bias": False, "output_bias": True}),
    ):
        case = make_case(formula, 3, 1, d=2, **more)
        good = case.family[3].sample(rng)
        for wrong in (good + 0.1, rng.normal(size=len(good))):
            with pytest.raises(ProblemError, match="theta_b"):
                connect(case.family, good, wrong)
        if "output_bias" in more:
            shifted = good.copy()
            shifted[-1] += 0.01
            with pytest.raises(ProblemError, match="theta_a"):
                connect(case.family, shifted, good)
    # only the sum of the linear parts is wrong
    case = make_case("softplus", 1, 1, bias=False)
    with pytest.raises(ProblemError, match="theta_b"):
        connect(case.family, case.teacher.theta, case.teacher.theta * [1.0, -1.0])
