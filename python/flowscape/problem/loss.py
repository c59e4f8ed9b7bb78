"""The four losses: s * sum_i w_i |f(x_i) - y_i|^2, by the factor s."""

from __future__ import annotations

from flowscape.errors import check_choice, check_positive

__all__ = ["LOSSES", "loss_scale"]

LOSSES: tuple[str, ...] = ("sum", "half_sum", "mean", "half_mean")


def loss_scale(loss: str, total_weight: float) -> float:
    """Return the factor s of a loss.

    Parameters
    ----------
    loss : str
        ``"sum"`` (s = 1), ``"half_sum"`` (1/2), ``"mean"`` (1/W) or ``"half_mean"`` (1/(2W)).
    total_weight : float
        W, the sum of the sample weights; the number of samples if there are none.

    Raises
    ------
    OptionError
        If the name is unknown or W is not positive and finite.
    """
    check_choice("loss", loss, LOSSES)
    total = check_positive("total_weight", total_weight, "give at least one positive weight")
    numerator = 0.5 if loss.startswith("half_") else 1.0
    return numerator / total if loss.endswith("mean") else numerator
