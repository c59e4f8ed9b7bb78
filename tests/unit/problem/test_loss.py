import math

import pytest

from flowscape.errors import OptionError
from flowscape.problem.loss import LOSSES, loss_scale


@pytest.mark.parametrize(
    ("loss", "scale"), [("sum", 1.0), ("half_sum", 0.5), ("mean", 0.125), ("half_mean", 0.0625)]
)
def test_scales(loss, scale):
    assert loss_scale(loss, 8.0) == scale


def test_all_losses_are_tested_above():
    assert LOSSES == ("sum", "half_sum", "mean", "half_mean")


def test_bad_losses():
    with pytest.raises(OptionError, match="loss='mse' must be one of sum, half_sum"):
        loss_scale("mse", 1.0)
    for weight in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="total_weight="):
            loss_scale("mean", weight)
