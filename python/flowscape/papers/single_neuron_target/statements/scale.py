"""Initialization scale and generalization: abstract, section 4, Figure 1; steps of appendix C."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.finding import Finding, between, holds_if, no_exception
from flowscape.papers.single_neuron_target.ends import ends, ends_of_starts, imbalances
from flowscape.papers.single_neuron_target.ledger import STATEMENTS
from flowscape.papers.single_neuron_target.setting import (
    SEED,
    even_inputs,
    example_1,
    gaussian_inputs,
    generalization_error,
)

Floats = NDArray[np.float64]

_RTOL = 1e-5


def _mean_errors(scales: tuple[float, ...], sizes: tuple[int, ...], seeds: int) -> Floats:
    """Return the mean error on evenly spaced samples: (sizes, scales)."""
    test = np.linspace(-2.0, 2.0, 500)
    means = np.empty((len(sizes), len(scales)))
    for i, n in enumerate(sizes):
        prob = example_1(even_inputs(n))
        unit = prob.net.init(seeds, rng=SEED)
        for j, scale in enumerate(scales):
            found = ends_of_starts(prob, scale * unit, rtol=_RTOL)
            means[i, j] = generalization_error(prob, found.polished, test).mean()
    return means


@STATEMENTS.measured(
    "smaller-scale",
    "Abstract; introduction, effect of initialization scale; Figure 1(a-e)",
    "smaller initialization scales give smaller generalization errors",
    mutation={"small": 2.0, "large": 1e-3},
    mutation_says="larger scales",
)
def smaller_scale(small: float = 1e-3, large: float = 2.0) -> Finding:
    """Measure the largest ratio of mean errors, small over large scale, for n = 3, 4, 5."""
    means = _mean_errors((small, large), (3, 4, 5), 50)
    ratios = means[:, 0] / means[:, 1]
    return between(
        -np.inf, float(ratios.max()), 0.5, predicted="ratio < 1/2", instances=300, ratios=ratios
    )


@STATEMENTS.measured(
    "section-4-tendency",
    "Section 4",
    "regardless of n the generalization error tends to increase with the sample size, in "
    "particular for n = 3 and 4",
    correction="with the initialization scale",
    mutation={"reverse": True},
    mutation_says="it decreases with the scale",
)
def section_4_tendency(reverse: bool = False) -> Finding:
    """Count falls of the mean error over the scales 0.01, 0.5, 2, for n = 3 and 4."""
    scales = (2.0, 0.5, 0.01) if reverse else (0.01, 0.5, 2.0)
    sizes = (2, 3, 4, 5, 6)
    means = _mean_errors(scales, sizes, 60)
    falls = int((np.diff(means[1:3], axis=1) < 0.0).sum())
    by_size = means[:, np.argmin(scales)]
    return no_exception(
        falls,
        instances=60 * len(sizes) * 3,
        printed=holds_if(bool((np.diff(by_size) > 0).all())),
        mean_errors_at_scale_001_for_n_2_to_6=by_size,
    )


@STATEMENTS.measured(
    "figure-1f",
    "Section 4 and Figure 1(f)",
    "the mean error falls as n grows, and more so at smaller scales",
    mutation={"few": 8, "many": 2},
    mutation_says="from n = 8 to n = 2",
)
def figure_1f(few: int = 2, many: int = 8) -> Finding:
    """Measure the factor by which the mean error falls, at the scales 0.001 and 1.

    Measured is the larger of: that factor at the small scale, and its ratio to the one at scale 1.
    """
    trials, scales = 40, np.array([1e-3, 1.0])
    test = gaussian_inputs(500, 10_004)
    mean = np.zeros((2, 2))
    for k, n in enumerate((few, many)):
        for trial in range(trials):
            prob = example_1(gaussian_inputs(8, 800 + trial)[:n])
            start = scales[:, None] * prob.net.init(1, rng=SEED, first_run=trial)
            found = ends_of_starts(prob, start, rtol=_RTOL)
            mean[k] += generalization_error(prob, found.polished, test) / trials
    factor = mean[1] / mean[0]
    measured = max(factor[0], factor[0] / factor[1])
    return between(
        -np.inf,
        float(measured),
        0.1,
        predicted="factors < 1/10",
        instances=4 * trials,
        factors_at_scales_0001_and_1=factor,
    )


@STATEMENTS.measured(
    "learning-rate",
    "Appendix C; Figures 1, 4 and 8",
    "gradient descent with the step 0.5 on half the sum of squares converges",
    correction="at balanced ends the step is above 2/lambda_max for n >= 3: a mean must be meant, "
    "or another step",
    mutation={"loss": "half_mean"},
    mutation_says="half the mean of the squares",
)
def learning_rate(loss: str = "half_sum") -> Finding:
    """Measure the largest stability limit 2/lambda_max at the ends for c~ = 1, n = 3 to 6."""
    limits = []
    for n in (3, 4, 5, 6):
        end = ends(example_1(even_inputs(n)), imbalances(np.array([1.0])))
        prob = example_1(even_inputs(n), loss=loss)
        limits.append(2.0 / np.linalg.eigvalsh(prob.hessian(end.polished[0]))[-1])
    return between(
        -np.inf,
        float(max(limits)),
        0.5,
        predicted="below 0.5",
        instances=4,
        printed=holds_if(min(limits) > 0.5),
        stability_limits_n_3_to_6=np.array(limits),
    )
