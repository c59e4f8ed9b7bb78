"""The formulas that the benchmarks hand to the peers agree with the engine, on small sizes.

The NumPy part always runs. The other libraries' parts are marked slow and run where they are
installed, when asked for: ``pytest tests/bench -m slow`` after ``pip install .[peers]``.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
LIBRARIES = [
    "numpy_forms",
    *(
        pytest.param(name, marks=[pytest.mark.slow, pytest.mark.filterwarnings("default")])
        for name in ("jax_forms", "jax_expert", "torch_forms", "numba_forms")
    ),
]
KERNEL_CASES = [("W1", 1), ("W1", 2), ("W2", 1), ("W2", 2), ("W3", 1), ("W3", 2), ("W4", 1)]


@pytest.fixture
def bench(monkeypatch):
    """Return a function that imports a module of bench/, without leaving it behind."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(BENCH)):
            del sys.modules[name]


def small(workloads, name):
    sizes = {
        "W1": {"batch": 5},
        "W2": {"batch": 2, "samples": 50},
        "W3": {"batch": 3, "width": 4, "samples": 20},
        "W4": {"batch": 2, "width": 7},
    }
    return workloads.KERNELS[name](**sizes[name])


def small_flows(workloads, name):
    return workloads.w5(batch=3) if name == "W5" else workloads.w6(samples=40)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("name", "order"), KERNEL_CASES)
def test_every_formula_agrees_with_the_engine(bench, library, name, order):
    workloads, kernels = bench("workloads"), bench("kernels")
    try:
        module = bench(f"peerlib.{library}")
    except ImportError as error:
        pytest.skip(f"not installed: {error.name}")
    work = small(workloads, name)
    reference = work.problem.evaluate(work.theta, order, n_threads=1)
    candidates = module.candidates(work, order)
    assert candidates
    for candidate in candidates:
        error = kernels.difference(candidate.results(candidate.run()), reference)
        assert error <= kernels.TOLERANCE, candidate.label


def test_a_wrong_formula_is_not_timed(bench):
    kernels, peerlib, tables = bench("kernels"), bench("peerlib"), bench("tables")
    work = small(bench("workloads"), "W1")
    loss, gradient = work.problem.evaluate(work.theta, 1, n_threads=1)
    wrong = gradient.copy()
    wrong[2, 3] *= 1.0 + 1e-9
    for result, status in ((gradient, None), (wrong, "disagrees")):
        peer = peerlib.Candidate("key", "label", lambda r=result: (loss, r), lambda out: out)
        series = kernels._checked(peer, tables.Row("key", "label"), (loss, gradient))
        assert (series.error or "").startswith(status or "")
        assert (series.error is None) == (status is None)


@pytest.mark.parametrize("name", ["W5", "W6"])
def test_right_hand_side_and_jacobian_of_the_flows(bench, name):
    workloads, peer = bench("workloads"), bench("peerlib.flow_peer")
    work = small_flows(workloads, name)
    velocity, jacobian = peer.closed_form(work)
    theta = np.random.default_rng(0).normal(size=work.at.theta.shape[1])
    _, gradient, hessian = work.at.problem.evaluate(theta, 2, n_threads=1)
    np.testing.assert_allclose(velocity(theta), -gradient, atol=1e-12 * np.abs(gradient).max())
    np.testing.assert_allclose(jacobian(theta), -hessian, atol=1e-12 * np.abs(hessian).max())


def test_a_wrong_end_is_a_disagreement(bench):
    workloads, flows, peer = bench("workloads"), bench("flows"), bench("peerlib.flow_peer")
    work = workloads.w5(batch=20)
    reference = work.follow()
    ends = peer.Ends(reference.theta.copy(), reference.t, reference.success.copy())
    flows.check(work, ends, reference)
    ends.theta[np.flatnonzero(~reference.success)[0]] *= 1.05
    with pytest.raises(flows.DisagreementError, match="largest distance"):
        flows.check(work, ends, reference)
    ends = peer.Ends(reference.theta, reference.t, ~reference.success)
    with pytest.raises(flows.DisagreementError, match="converged"):
        flows.check(work, ends, reference)


@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4"])
def test_the_smaller_copies_are_the_workload(bench, name):
    """The networks of the full size are those of the batch that is timed."""
    workloads = bench("workloads")
    work = workloads.KERNELS[name]()
    p = work.width * (1 + work.incoming)
    assert work.theta.shape[1] == p == work.problem.net.n_params
    assert set(work.flops) == ({1} if name == "W4" else {1, 2})
    packed = np.concatenate([work.a[..., None], work.w], axis=-1).reshape(work.theta.shape)
    np.testing.assert_array_equal(packed, work.theta)


def test_a_peer_is_compared_with_the_engine_beside_it(bench, monkeypatch):
    """Ratios come from the engine's blocks before and after the peer's, not from other rounds."""
    timing = bench("timing")
    now, order = [0.0], []
    monkeypatch.setattr(timing, "settle", lambda: None)
    monkeypatch.setattr(timing, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def run(name, costs):
        def call():
            order.append(name)
            now[0] += next(costs)

        return call

    # the first cost is that of the calibration
    engine = timing.Series(run("engine", iter([50.0, 1.0, 2.0, 4.0])))
    peer = timing.Series(run("peer", iter([50.0, 3.0, 3.0])))
    timing.interleave(engine, [peer], rounds=2)
    assert order[2:] == ["engine", "peer", "engine", "peer", "engine"]
    assert engine.cpu == [1.0, 2.0, 4.0]
    assert peer.ratios == [2.0, 1.0]
    assert peer.ratio == 1.5


def test_a_peer_that_fails_is_left_out(bench, monkeypatch):
    timing = bench("timing")
    monkeypatch.setattr(timing, "settle", lambda: None)

    def broken():
        raise ValueError("no")

    engine, peer = timing.Series(lambda: None), timing.Series(broken)
    timing.interleave(engine, [peer], rounds=2)
    assert peer.error == "failed: ValueError('no')"
    assert not peer.ratios
