"""W5 and W6: gradient flows; and the packaged study as a whole."""

import os

import numpy as np
import pytest

import flowscape as fs
from flowscape.flow import METHODS
from workloads import w5, w6


def _facts(flow):
    return {
        "method": flow.method,
        "steps_per_flow": float(flow.nstep.mean()),
        "rejected": float(flow.nrejected.sum() / flow.nstep.sum()),
        "lane_use": flow.lane_use,
    }


def test_w5(benchmark):
    """1,000 flows until |gradient| < 1e-10 or t = 1e6 at rtol 1e-6, atol 1e-9, one thread."""
    flow = benchmark(w5().follow)
    assert np.count_nonzero(flow.success) == 781  # a property of the problem
    benchmark.extra_info |= _facts(flow)


def test_w5_to_the_limit(benchmark):
    """The same flows without a time limit, to the round-off floor."""
    at = w5().at
    flow = benchmark(fs.gradient_flow, at.problem, at.theta, n_threads=1)
    assert flow.success.all()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_w5_many(benchmark, n_threads):
    """100,000 flows, once: seconds of work for every thread."""
    if n_threads > len(os.sched_getaffinity(0)):
        pytest.skip("this process may use one processor only")
    work = w5(100_000)
    flow = benchmark.pedantic(work.follow, args=("auto", n_threads), rounds=1, iterations=1)
    assert flow.success[:1000].sum() == work.follow(first=1000).success.sum()
    benchmark.extra_info |= _facts(flow)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("auto", "rk45")])
def test_w6(benchmark, method):
    """One stiff flow on 100,000 samples until |gradient| < 1e-9, one thread, once."""
    work = w6()
    flow = benchmark.pedantic(work.follow, args=(method,), rounds=1, iterations=1)
    assert flow.success.all()
    gradient = work.at.problem.jacobian(flow.theta[0]).T @ work.at.problem.residual(flow.theta[0])
    assert np.abs(2.0 / len(work.at.y) * gradient).max() <= 1.01 * work.gtol
    benchmark.extra_info |= _facts(flow) | {"nfev": int(flow.nfev[0]), "njev": int(flow.njev[0])}


def test_polish_and_classify(benchmark):
    at = w5().at
    flow = fs.gradient_flow(at.problem, at.theta)

    def judge():
        points = fs.polish(at.problem, flow.theta, n_threads=1)
        return fs.classify(at.problem, points, flow, n_threads=1)

    verdicts = benchmark(judge)
    assert np.count_nonzero(verdicts.kind == fs.Kind.ZERO_LOSS) >= 990


def test_packaged_study(benchmark):
    """36,000 flows on all cores: start, flow, polish, classify."""
    study = fs.Study.packaged("two-tanh-neurons")
    result = benchmark.pedantic(fs.recover, args=(study,), rounds=1, iterations=1)
    assert len(result.runs["kind"]) == 36_000
