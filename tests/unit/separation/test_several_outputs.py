"""Verdicts for several outputs: against one output, plain linear algebra and Newton's method."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from flowscape.branches import branches
from flowscape.errors import ProblemError
from flowscape.problem import Teacher, TwoLayer
from flowscape.separation import Reason, SeparationVerdict
from flowscape.separation.imperfect import imperfect_zero, residual
from flowscape.separation.output_features import output_features
from flowscape.separation.outputs import at_outputs
from flowscape.separation.verdict import _several_outputs

SEPARATED, NOT, UNDECIDED = (
    SeparationVerdict.SEPARATED,
    SeparationVerdict.NOT_SEPARATED,
    SeparationVerdict.UNDECIDED,
)
SHIFTED = {"name": "tanh", "h": 0.3}
LIFTED = [{"name": "tanh", "h": 0.3}, {"name": "const", "c": -float(np.tanh(0.3))}]


def make(m, m0, d, outputs, activation="exp", bias=False, output_bias=False, flat=0):
    """Branches of a random target; `flat` of its neurons make a constant part."""
    small = TwoLayer(m0 + flat, d, activation, bias, outputs, output_bias)
    theta = np.random.default_rng([m, m0, d, outputs]).normal(size=small.n_params)
    small.unpack(theta).w[m0:] = 0.0
    return branches(TwoLayer(m, d, activation, bias, outputs, output_bias), Teacher(small, theta))


FAMILIES = {
    "exp-2-1": (2, 1, 1, 2),
    "exp-3-1": (3, 1, 2, 2),
    "exp-4-1": (4, 1, 2, 2),
    "shifted-3-2": (3, 2, 1, 2, SHIFTED),
    "gauss-3-1": (3, 1, 2, 2, "gauss"),
    "gauss-bias-2-1": (2, 1, 1, 3, "gauss", True),
    "tanh-silent": (4, 1, 1, 3, "tanh"),
    "tanh-bias-2-1": (2, 1, 1, 2, "tanh", True),
    "tanh-bias-3-1": (3, 1, 1, 2, "tanh", True),
    "tanh-bias-const": (3, 1, 1, 2, "tanh", True, False, 1),
    "tanh-both-biases": (3, 1, 1, 2, "tanh", True, True),
    "tanh-three-outputs": (2, 1, 1, 3, "tanh", True, True),
    "shifted-level": (3, 1, 1, 2, SHIFTED, False, True),
    "lifted-silent": (3, 1, 1, 2, LIFTED, False, True),
    "sigmoid-3-1": (3, 1, 1, 2, "sigmoid"),
    "sigmoid-3-2": (3, 2, 2, 2, "sigmoid"),
    "sigmoid-level": (3, 1, 1, 2, "sigmoid", False, True),
    "sigmoid-bias": (3, 1, 1, 2, "sigmoid", True),
    "sigmoid-bias-const": (2, 1, 1, 2, "sigmoid", True, False, 1),
    "sigmoid-both-biases": (2, 1, 1, 3, "sigmoid", True, True),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    """Each kind of student and target in turn."""
    return make(*FAMILIES[request.param])


def representatives(family):
    return [orbit.representative for orbit in family.orbits()]


def rank_of(matrix):
    values = np.linalg.svd(matrix, compute_uv=False)
    return int((values > 1e-13 * values[0]).sum())


def test_the_residual_is_that_of_the_network(family, rng):
    branch = family[0]
    theta, x = rng.normal(size=branch.setting.n_params), rng.normal(size=(5, branch.setting.inputs))
    gap, jacobian = residual(branch, theta, x)
    np.testing.assert_allclose(gap, (family.net(theta, x) - family.teacher(x)).ravel(), atol=1e-12)
    step = 1e-6 * np.eye(len(theta))
    slopes = [(residual(branch, theta + u, x)[0] - residual(branch, theta - u, x)[0]) for u in step]
    np.testing.assert_allclose(jacobian, np.array(slopes).T / 2e-6, atol=1e-7)


def test_ranks_on_many_samples(family, rng):
    """r O + D sum of the ranks of the groups' weights, and what a constant group adds."""
    s = family.setting
    x = 1.5 * rng.normal(size=(60, s.inputs))
    for branch in representatives(family):
        theta = branch.sample(rng)
        point = at_outputs(branch, theta)
        assert np.linalg.matrix_rank(point.matrix) == len(point.matrix)
        assert point.rank == rank_of(residual(branch, theta, x)[1])
        if not (branch.blocks[0] or s.output_bias):
            free = branch.shape.free
            spans = [min(g, s.outputs) for g in branch.shape.labelled]
            spans += [min(g - 1, s.outputs) for g in free]
            mixed = any(len({branch.signs[k] for k in block}) == 2 for block in branch.blocks[1:])
            shifts = s.outputs * bool(s.level and mixed)
            assert point.rank == branch.r * s.outputs + s.incoming * sum(spans) + shifts
        features = output_features(point, x[None])
        jacobian = features.phi[0] @ point.matrix
        np.testing.assert_allclose(jacobian, residual(branch, theta, x)[1], atol=1e-12)


def newton(branch, theta, start, x):
    """A zero near theta by short damped steps of least norm, or None."""
    point, reach = start.copy(), np.linalg.norm(start - theta)
    for _ in range(60):
        gap, jacobian = residual(branch, point, x)
        left, values, right = np.linalg.svd(jacobian, full_matrices=False)
        step = right.T @ (values / (values**2 + 1e-3 * np.abs(gap).max()) * (left.T @ gap))
        point = point - step * min(1.0, reach / max(np.linalg.norm(step), 1e-300))
        if np.linalg.norm(point - theta) > 20.0 * reach:
            return None
    return point if np.abs(residual(branch, point, x)[0]).max() < 1e-13 else None


def test_verdicts_against_ranks_and_newton(family, rng):
    """Imperfect zeros are exhibited where they are claimed, and not found where excluded."""
    seen = set()
    for branch in representatives(family):
        s, codim = branch.setting, branch.codim
        least = codim
        for n in range(1, codim + 1):
            theta, x = branch.sample(rng), rng.normal(size=(n, s.inputs))
            found = branch.separation(x, theta)
            seen.add((found.verdict, found.reason))
            jacobian = residual(branch, theta, x)[1]
            rank = rank_of(jacobian)
            # other zeros may begin where the second order outweighs the first
            steepness = np.linalg.svd(jacobian, compute_uv=False)[rank - 1]
            reach = min(1e-3, steepness)
            if found.reason is Reason.RANK:
                assert found.rank == rank == min(n * s.outputs, codim)
                assert found.verdict is (SEPARATED if rank == codim else NOT)
                assert found.morse_bott is True
            elif found.n_forms and found.reason is not Reason.NOT_SEPARATING_INPUTS:
                assert found.n_forms == n * s.outputs - rank
                assert found.n_variables == codim - rank
                assert not found.morse_bott
            if found.verdict is NOT and (n < 2 or found.reason is not Reason.RANK):
                zero = imperfect_zero(branch, x, theta, distance=1e-3)
                assert zero.residual < 1e-12
                assert 1e-4 < zero.distance < 5e-3
                assert zero.defect > 1e-8
                assert found.local_dimension in (-1, s.n_params - n * s.outputs)
            elif found.verdict is SEPARATED:
                assert found.local_dimension == branch.dim
                point = at_outputs(branch, theta)
                assert not output_features(point, x[None]).alone(point)[0].any()
                for _ in range(2 if n <= least + 1 and steepness > 1e-5 else 0):
                    start = theta + reach * rng.normal(size=len(theta))
                    zero = newton(branch, theta, start, x)
                    if zero is not None:
                        # or on another branch, where two come close
                        gap = family.locate(zero, 1e-6).distance
                        assert gap < 0.1 * branch.distance(start)
                least = min(least, n)
    assert {NOT, SEPARATED} <= {verdict for verdict, _ in seen}


ONE_OUTPUT = {
    "exp-3-1": (3, 1, 2, 1),
    "gauss-2-1": (2, 1, 2, 1, "gauss"),
    "tanh-silent": (3, 1, 1, 1, "tanh"),
    "tanh-bias-3-1": (3, 1, 1, 1, "tanh", True),
    "tanh-bias-const": (3, 1, 1, 1, "tanh", True, False, 1),
    "shifted-level": (3, 1, 1, 1, SHIFTED, False, True),
}


@pytest.mark.parametrize("name", ONE_OUTPUT)
def test_one_output_by_the_way_of_several(name, rng):
    family = make(*ONE_OUTPUT[name])
    decided = 0
    for branch in representatives(family):
        for n in range(1, branch.codim + 1):
            theta, x = branch.sample(rng), rng.normal(size=(2, n, branch.setting.inputs))
            known = branch.separation(x, theta)
            other = _several_outputs(branch, x, theta, False, rng)
            assert (other.n_forms, other.n_variables) == (known.n_forms, known.n_variables)
            both = (known.verdict != UNDECIDED) & (other.verdict != UNDECIDED)
            np.testing.assert_array_equal(known.verdict[both], other.verdict[both])
            alone = other.reason == Reason.ONE_GROUP
            assert ((known.verdict == UNDECIDED) <= ((other.verdict == UNDECIDED) | alone)).all()
            decided += int(both.sum())
    assert decided >= 15


@pytest.mark.parametrize("d", [1, 2])
def test_three_neurons_on_one_target_neuron_with_two_outputs(d, rng):
    """Sum a_k e_k = 0 leaves e_k = beta_k e, and all forms are multiples of e . M e.

    So M definite separates; M indefinite does not decide, as the forms are proportional.
    """
    branch = make(3, 1, d, 2)[0]
    w = branch.target.incoming[0]
    seen = set()
    for _ in range(12):
        theta, x = branch.sample(rng), rng.normal(size=(d + 2, d))
        found = branch.separation(x, theta)
        assert (found.n_forms, found.n_variables) == (2, d)
        features = np.column_stack([np.exp(x @ w), np.exp(x @ w)[:, None] * x])
        c = np.linalg.svd(features)[0][:, -1]
        eigenvalues = np.linalg.eigvalsh(np.einsum("i,ip,iq->pq", c * np.exp(x @ w), x, x))
        definite = eigenvalues[0] * eigenvalues[-1] > 0.0
        assert found.verdict is (SEPARATED if definite else UNDECIDED)
        assert found.reason is (Reason.DEFINITE_FORM if definite else Reason.DEGENERATE_FORMS)
        seen.add(definite)
    assert seen == ({True} if d == 1 else {True, False})


def test_one_group_alone(rng):
    """A target neuron and two neurons at rest: across the target's direction nothing can move."""
    branch = next(b for b in make(3, 1, 2, 2) if b.l == 2)
    theta, x = branch.sample(rng), rng.normal(size=(4, 2))
    found = branch.separation(x, theta)
    assert (found.verdict, found.reason) == (NOT, Reason.ONE_GROUP)
    assert rank_of(residual(branch, theta, x)[1]) == 7  # neither 8 equations nor rho = 8
    assert found.morse_bott is None
    assert found.local_dimension == -1
    assert branch.separation(x).reason is Reason.ONE_GROUP  # at almost every point
    three, five = (branch.separation(rng.normal(size=(n, 2)), theta) for n in (3, 5))
    assert (three.verdict, five.verdict) == (NOT, SEPARATED)


def test_almost_every_point(rng):
    branch = make(4, 1, 2, 2)[0]  # rho = 6, codim = 10
    found = [branch.separation(rng.normal(size=(n, 2))) for n in range(1, 11)]
    assert [f.verdict for f in found[:3]] == [NOT] * 3
    assert all(f.verdict is UNDECIDED for f in found[3:9])
    wanted = {Reason.DEPENDS_ON_POINT, Reason.VARIES_ALONG_BRANCH, Reason.DEGENERATE_FORMS}
    assert {f.reason for f in found[3:9]} <= wanted
    assert (found[9].verdict, found[9].reason) == (SEPARATED, Reason.CODIMENSION)


def test_stacks_are_their_sets(rng):
    branch = make(3, 1, 2, 2)[0]
    theta = branch.sample(rng)
    for n in (2, 4, 5, 8):
        stack = rng.normal(size=(6, n, 2))
        together = branch.separation(stack, theta)
        alone = [branch.separation(x, theta) for x in stack]
        assert [int(a.verdict) for a in alone] == together.verdict.tolist()
        assert [int(a.reason) for a in alone] == together.reason.tolist()
        assert together.local_dimension.tolist() == [a.local_dimension for a in alone]
        assert together.morse_bott == [a.morse_bott for a in alone]


def test_points_that_are_not_generic_are_refused(rng):
    branch = make(2, 1, 1, 2)[0]
    theta = branch.sample(rng)
    half = 0.5 * branch.target.outgoing[0]
    theta[:2], theta[3:5] = half, half  # parallel weights
    with pytest.raises(ProblemError, match="span less than 2"):
        branch.separation(np.eye(1), theta)


def test_repeated_samples_count_once(rng):
    branch = make(2, 1, 1, 2)[0]
    x = rng.normal(size=(2, 1))
    assert branch.separation(x).verdict is SEPARATED
    assert branch.separation(np.repeat(x[:1], 4, axis=0)).verdict is UNDECIDED
    sizes = [branch.separation(x[:n]).rank for n in (1, 2)]
    assert all(b > a for a, b in pairwise(sizes))


def test_exponential_students_with_biases(rng):
    """Pulled back from the family without bias: the same verdicts, and zeros in (a, w, b)."""
    small = TwoLayer(1, 2, "exp", True, 2)
    family = branches(TwoLayer(3, 2, "exp", True, 2), Teacher(small, rng.normal(size=5)))
    branch = next(b for b in family if b.l == 2)
    theta, x = branch.sample(rng), rng.normal(size=(4, 2))
    found = branch.separation(x, theta)
    assert (found.verdict, found.reason) == (NOT, Reason.ONE_GROUP)
    zero = imperfect_zero(branch, x, theta, distance=1e-3)
    assert zero.residual < 1e-12
    assert zero.defect > 1e-6
