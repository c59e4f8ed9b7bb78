"""The errors of the activations are those that docs/activations.md states."""

import numpy as np
import pytest
from activation_table import rounded_up, stated_errors, worst_arguments

from flowscape.testing.activation_errors import NAMES, arguments, compute, errors


def test_the_table_knows_every_function():
    assert sorted(stated_errors()) == NAMES
    assert sorted(worst_arguments()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_values_are_within_two_ulp(name):
    assert stated_errors()[name][0] <= 2.0


@pytest.mark.parametrize("name", NAMES)
def test_no_argument_exceeds_the_stated_errors(name):
    z = arguments(name, 8, seed=NAMES.index(name))
    computed = compute(name, z)
    assert np.all(np.isfinite(computed))
    (found,) = errors(name, z, computed)
    for order, stated in enumerate(stated_errors()[name]):
        worst = np.argmax(found[order])
        assert found[order, worst] <= stated, (order, z[worst])


@pytest.mark.parametrize("name", NAMES)
def test_the_stated_errors_occur(name):
    z = np.array(worst_arguments()[name])
    (found,) = errors(name, z, compute(name, z))
    assert [rounded_up(error) for error in np.diag(found)] == stated_errors()[name]
