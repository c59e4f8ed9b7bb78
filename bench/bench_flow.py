"""W5: 1,000 gradient flows of Example 1, one thread; and the packaged study as a whole."""

import numpy as np

import flowscape as fs


def _starts() -> np.ndarray:
    return 0.1 * np.random.default_rng(1).normal(size=(1000, 6))


def test_w5_rosenbrock(benchmark, example_one):
    """Until |gradient| < 1e-10 or t = 1e6 at rtol 1e-6, atol 1e-9."""
    flow = benchmark(fs.gradient_flow, example_one, _starts(), gtol=1e-10, t_max=1e6, n_threads=1)
    assert np.count_nonzero(flow.success) == 781  # a property of the problem
    benchmark.extra_info |= {
        "steps_per_flow": float(flow.nstep.mean()),
        "rejected": float(flow.nrejected.sum() / flow.nstep.sum()),
        "lane_use": flow.lane_use,
    }


def test_w5_to_the_limit(benchmark, example_one):
    """The same flows without a time limit, to the round-off floor."""
    flow = benchmark(fs.gradient_flow, example_one, _starts(), n_threads=1)
    assert flow.success.all()


def test_polish_and_classify(benchmark, example_one):
    flow = fs.gradient_flow(example_one, _starts())

    def judge():
        points = fs.polish(example_one, flow.theta, n_threads=1)
        return fs.classify(example_one, points, flow, n_threads=1)

    verdicts = benchmark(judge)
    assert np.count_nonzero(verdicts.kind == fs.Kind.ZERO_LOSS) >= 990


def test_packaged_study(benchmark):
    """36,000 flows on all cores: start, flow, polish, classify."""
    study = fs.Study.packaged("two-tanh-neurons")
    result = benchmark.pedantic(fs.recover, args=(study,), rounds=1, iterations=1)
    assert len(result.runs["kind"]) == 36_000
