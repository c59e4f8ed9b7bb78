"""The coefficients of Rodas5P against the conditions of order of a Rosenbrock method.

With the exact Jacobian the conditions are those of the rooted trees of Runge-Kutta methods. A node
with one child gets beta = alpha + gamma, one with several gets alpha (Hairer and Wanner, Solving
ODEs II, section IV.7, theorem 7.4).
"""

import re
from math import prod
from pathlib import Path

import numpy as np
import pytest

HEADER = Path(__file__).parents[2] / "cpp/include/flowscape/flow/rodas5p.hpp"
STAGES, ORDER = 8, 5


def table(name):
    """The rows of an array of the header, filled with zeros."""
    text = HEADER.read_text(encoding="utf-8")
    body = re.search(rf"double {name}\[\d\]\[\d\] = {{(.*?)}};", text, re.S).group(1)
    rows = [
        [float(v) for v in row.split(",") if v.strip()] for row in re.findall(r"{([^{}]*)}", body)
    ]
    return np.array([row + [0.0] * (STAGES - len(row)) for row in rows])


@pytest.fixture(scope="module")
def method():
    """Coefficients of the stages k = Gamma U in the usual form."""
    text = HEADER.read_text(encoding="utf-8")
    gamma = float(re.search(r"double gamma = ([\d.]+);", text).group(1))
    # U = Gamma k with Gamma^-1 = I / gamma - C: the transformation of section IV.7.
    big = np.linalg.inv(np.eye(STAGES) / gamma - table("c"))
    a = table("a")
    last = np.eye(STAGES)[-1]
    new = a[-1] + last
    return {
        "gamma": gamma,
        "alpha": a @ big,
        "beta": a @ big + big,
        "b": new @ big,
        "embedded": a[-1] @ big,
        "dense": [row @ big for row in table("dense")],
    }


def trees(size):
    """Rooted trees of so many nodes: sorted tuples of their root's subtrees."""
    if size == 1:
        return [()]
    found = set()

    def fill(left, largest, children):
        if left == 0:
            found.add(tuple(sorted(children)))
        for part in range(min(left, largest), 0, -1):
            for tree in trees(part):
                fill(left - part, part, [*children, tree])

    fill(size - 1, size - 1, [])
    return sorted(found)


def nodes(tree):
    return 1 + sum(nodes(child) for child in tree)


def density(tree):
    return nodes(tree) * prod(density(child) for child in tree)


def weight(tree, method):
    """Elementary weights of a tree at every stage, without the root's b."""
    matrix = method["beta"] if len(tree) == 1 else method["alpha"]
    return prod((matrix @ weight(child, method) for child in tree), start=np.ones(STAGES))


def test_number_of_trees():
    assert [len(trees(n)) for n in range(1, 6)] == [1, 1, 2, 4, 9]


@pytest.mark.parametrize(("weights", "order"), [("b", 5), ("embedded", 4)])
def test_conditions_of_order(method, weights, order):
    for tree in (tree for n in range(1, order + 1) for tree in trees(n)):
        assert method[weights] @ weight(tree, method) == pytest.approx(
            1.0 / density(tree), abs=2e-13
        )
    higher = [
        abs(method[weights] @ weight(tree, method) - 1.0 / density(tree))
        for tree in trees(order + 1)
    ]
    assert max(higher) > 1e-5  # and no order more


def test_conditions_of_the_continuous_extension(method):
    """Order 4 at every place x of the step: b(x) Phi = x^nodes / density."""
    for x in np.linspace(0.0, 1.0, 7):
        bend = sum(row * x**k for k, row in enumerate(method["dense"]))
        at = x * (method["b"] + (1.0 - x) * bend)
        for tree in (tree for n in range(1, ORDER) for tree in trees(n)):
            assert at @ weight(tree, method) == pytest.approx(
                x ** nodes(tree) / density(tree), abs=2e-13
            )


def test_it_is_stiffly_accurate_and_l_stable(method):
    """b is beta's last row; on the negative axis, where gradient flows are, |R| <= 1 and R -> 0."""
    np.testing.assert_allclose(method["b"], method["beta"][-1], atol=1e-13)
    np.testing.assert_allclose(method["beta"].sum(axis=1)[-3:], 1.0, atol=1e-12)

    def stability(z):
        inner = np.linalg.solve(np.eye(STAGES) - z * method["beta"], np.ones(STAGES))
        return 1.0 + z * method["b"] @ inner

    values = np.array([stability(z) for z in -np.geomspace(1e-6, 1e12, 400)])
    assert (np.abs(values) <= 1.0).all()
    assert 1e12 * abs(values[-1]) < 20.0
    assert stability(-0.01) == pytest.approx(np.exp(-0.01), abs=1e-14)


def test_stages_from_the_chained_on_add_the_one_before(method):
    """What the step relies on to form their arguments."""
    a = table("a")
    chained = int(re.search(r"int chained = (\d);", HEADER.read_text(encoding="utf-8")).group(1))
    for stage in range(chained, STAGES):
        np.testing.assert_array_equal(a[stage], a[stage - 1] + np.eye(STAGES)[stage - 1])
