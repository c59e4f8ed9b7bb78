"""What a batch of descents came to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowscape.descent.options import DescentOptions
from flowscape.status import Status, ends_in_words

__all__ = ["Descent"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Descent:
    """Ends of a batch of descents; one run per row, no batch axis for a single start.

    Attributes
    ----------
    theta : (B, P) ndarray
        The last point.
    step : (B,) ndarray of int
        Steps taken.
    loss, gradient_norm : (B,) ndarray
        Loss of all samples and infinity norm of its gradient, at `theta`.
    lambda_max : (B,) ndarray
        Largest eigenvalue of the Hessian of the loss at `theta`; with more than 96 parameters by
        Lanczos' method, to 1e-10 of it. NaN where the Hessian is not finite.
    stability_limit : (B,) ndarray
        Learning rate from which on a critical point with this largest eigenvalue repels:
        2 / lambda_max; 2 (1 + m) / lambda_max with momentum m and 2 (1 + m) / ((1 + 2 m)
        lambda_max) with Nesterov's. Infinite where no eigenvalue is positive, NaN for Adam, which
        rescales its steps.
    status : (B,) ndarray of int8
        Codes of `Status`. CONVERGED: `stop_loss` or `gtol` was met. STEP_LIMIT: all steps were
        taken. ESCAPED and NONFINITE: the run diverged.
    steps : (T,) ndarray of int, or None
        The step numbers asked for with `save_at`.
    thetas, losses : (B, T, P) and (B, T) ndarray, or None
        Points after these numbers of steps and the loss of all samples there. After a run has
        converged they hold its last point; after any other end they are NaN.
    options : DescentOptions
    kernel : str
        Kernel of the problem's shape.
    seconds : float
        Wall time.
    """

    theta: Floats
    step: NDArray[np.int64]
    loss: Floats
    gradient_norm: Floats
    lambda_max: Floats
    stability_limit: Floats
    status: NDArray[np.int8]
    steps: NDArray[np.int64] | None
    thetas: Floats | None
    losses: Floats | None
    options: DescentOptions
    kernel: str
    seconds: float

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each run met its stop rule."""
        return np.equal(self.status, Status.CONVERGED)

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Whether the learning rate exceeds the stability limit at the end."""
        return np.greater(self.options.learning_rate, self.stability_limit)

    @property
    def message(self) -> NDArray[np.str_]:
        """What happened to each run, in words; () or (B,) strings."""
        status, unstable = np.atleast_1d(self.status), np.atleast_1d(self.unstable)
        rates = np.broadcast_to(self.options.learning_rate, status.shape)
        limits = np.atleast_1d(self.stability_limit)
        words = []
        for code, high, rate, limit in zip(status, unstable, rates, limits, strict=True):
            text = _MESSAGES[Status(code)]
            if high:
                text += f"; learning_rate={rate:.6g} exceeds the stability limit {limit:.6g} there"
            words.append(text)
        return np.array(words).reshape(np.shape(self.status))

    def __repr__(self) -> str:
        codes = np.atleast_1d(self.status)
        runs = f"{codes.size} run{'s' * (codes.size != 1)}"
        how = f"{self.options.algorithm}, {self.seconds:.3g} s"
        return f"Descent({runs}, {how}: {ends_in_words(codes)})"


_MESSAGES = {
    Status.CONVERGED: "met the stop rule: the loss is at most stop_loss or the gradient at gtol",
    Status.ESCAPED: "diverged: a parameter exceeded the escape radius; lower learning_rate",
    Status.NONFINITE: "diverged: the loss overflowed; lower learning_rate",
    Status.STEP_LIMIT: "took all steps",
}
