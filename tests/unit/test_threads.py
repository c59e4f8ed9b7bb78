"""Threads: counts, Ctrl-C, fork, errors of a callback, calls from several Python threads."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from flowscape import OptionError, Problem, Samples, TwoLayer, gradient_flow, polish
from flowscape.threads import thread_count

NET = TwoLayer(2, 1)
PROB = Problem(NET, Samples(np.linspace(-2, 2, 6), np.tanh(np.linspace(-1, 3, 6))))


def test_thread_counts():
    assert thread_count(None) == len(os.sched_getaffinity(0))
    assert thread_count(3) == 3
    for bad in (0, -1, 1.0, True, "2"):
        with pytest.raises(OptionError, match=r"^n_threads="):
            thread_count(bad)


def test_the_default_follows_the_processors_of_the_process():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from flowscape.threads import thread_count; print(thread_count(None))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


LONG = """
import sys, time
import numpy as np
import flowscape as fs
net = fs.TwoLayer(2, 1)
prob = fs.Problem(net, fs.Samples(np.linspace(-2, 2, 6), np.tanh(np.linspace(-1, 3, 6))))
theta = net.init({runs}, rng=1)
prob.loss(theta[:1])
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    loss = prob.loss(theta[:100], n_threads=2)  # the core still works
    assert np.isfinite(loss).all()
    print("alive", flush=True)
else:
    print("finished", flush=True)
"""
CALLS = {
    "rk45": "fs.gradient_flow(prob, theta, method='rk45', t_max=1e9, max_steps=10**9,"
    " n_threads={n})",
    "rosenbrock": "[fs.gradient_flow(prob, theta, n_threads={n}) for _ in range(10**6)]",
    "with progress": "fs.gradient_flow(prob, theta, method='rk45', t_max=1e9, max_steps=10**9,"
    " progress=lambda done: None, n_threads={n})",
    "descent": "fs.gradient_descent(prob, theta, learning_rate=0.01, steps=10**9, n_threads={n})",
    "batches": "fs.gradient_descent(prob, theta, learning_rate=0.01, steps=10**9, batch_size=2,"
    " stop_loss=0.0, n_threads={n})",
    "polish": "[fs.polish(prob, theta, n_threads={n}) for _ in range(10**6)]",
    "one call": "fs.Problem(fs.TwoLayer(20, 1), fs.Samples(np.linspace(-2, 2, 20_000),"
    " np.ones(20_000))).gradient(np.ones((40_000, 60)), n_threads={n})",
    "evaluate": "[prob.evaluate(theta, n_threads={n}) for _ in range(10**6)]",
}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_ctrl_c_ends_a_long_call(call, n):
    """Promised within 0.2 s; tested with a tenfold margin."""
    code = LONG.format(runs=50_000, call=call.format(n=n))
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            ready = list(iter(process.stdout.readline, "ready\n"))  # what a rebuild says
            assert process.poll() is None, ready
            time.sleep(0.5)
            assert process.poll() is None
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            line = process.stdout.readline()
            seconds = time.monotonic() - begin
            rest, errors = process.stdout.read(), process.stderr.read()
        finally:
            process.kill()
    assert line == "interrupted\n", errors
    assert seconds < 2.0
    assert rest == "alive\n", errors


FORK = """
import multiprocessing, sys
import numpy as np
import flowscape as fs
net = fs.TwoLayer(2, 1)
prob = fs.Problem(net, fs.Samples(np.linspace(-2, 2, 6), np.tanh(np.linspace(-1, 3, 6))))
theta = net.init(2000, rng=1)

def work(queue):
    flow = fs.gradient_flow(prob, theta[:50], t_max=10.0, n_threads=2)
    loss, gradient, hessian = prob.evaluate(theta, n_threads=2)
    points = fs.polish(prob, flow.theta, n_threads=2)
    queue.put([part.tobytes() for part in (flow.theta, loss, hessian, points.theta)])

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    work(queue)
    own = queue.get()
    child = context.Process(target=work, args=(queue,))
    child.start()
    theirs = queue.get(timeout=10)
    child.join(10)
    assert child.exitcode == 0
    assert theirs == own
    print("same bits")
"""


def test_a_fork_after_a_threaded_call_computes():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("same bits\n"), done.stderr


def test_python_threads_may_share_a_problem():
    theta = NET.init(400, rng=2)
    expected = PROB.hessian(theta, n_threads=1)
    ends = gradient_flow(PROB, theta[:20], t_max=5.0, n_threads=1).theta

    def work(i):
        hessian = PROB.hessian(theta, n_threads=1 + i % 3)
        flow = gradient_flow(PROB, theta[:20], t_max=5.0, n_threads=1 + i % 2)
        return hessian.tobytes() == expected.tobytes() and flow.theta.tobytes() == ends.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(24)))


def test_a_long_call_leaves_the_interpreter_free():
    """The lock is released: another Python thread runs while the core computes."""
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.wait(0.01):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    begin = time.monotonic()
    while time.monotonic() - begin < 0.3:
        gradient_flow(PROB, NET.init(500, rng=3), n_threads=1)
    stop.set()
    ticker.join()
    assert len(ticks) >= 5


class CallbackError(Exception):
    pass


@pytest.mark.parametrize("run", [gradient_flow, polish])
def test_an_error_of_the_callback_comes_out(run):
    def fail(_):
        raise CallbackError

    with pytest.raises(CallbackError):
        run(PROB, NET.init(10, rng=4), progress=fail)
    assert np.isfinite(PROB.loss(NET.init(10, rng=4))).all()


@pytest.mark.parametrize("run", [gradient_flow, polish])
def test_progress_counts_up_to_the_number_of_runs(run):
    seen = []
    run(PROB, NET.init(300, rng=5), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 300
    assert all(isinstance(count, int) for count in seen)


def test_more_threads_than_runs():
    theta = NET.init(2, rng=6)
    assert PROB.loss(theta, n_threads=64).shape == (2,)
    assert gradient_flow(PROB, theta, t_max=1.0, n_threads=64).theta.shape == (2, 6)


CROWD = """
import resource
import numpy as np
import flowscape as fs
net = fs.TwoLayer(2, 1)
x = np.linspace(-1, 1, 600)
prob = fs.Problem(net, fs.Samples(x, x))
theta = net.init(3000, rng=1)
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))  # room for about 300 stacks
try:
    flow = fs.gradient_flow(prob, theta, t_max=0.01, n_threads=3000)
except (RuntimeError, MemoryError, ValueError) as error:
    print("refused")
else:
    print("done" if (flow.status == fs.Status.TIME_LIMIT).all() else "wrong")
"""


def test_more_threads_than_the_system_gives_do_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] in ("refused", "done")


def test_many_short_calls_with_more_threads_than_processors():
    """Helpers come late, go out between items and find calls closed: no bit may depend on it."""
    theta = NET.init(60_000, rng=7)
    expected = PROB.gradient(theta, n_threads=1).tobytes()
    assert all(PROB.gradient(theta, n_threads=2 + i % 7).tobytes() == expected for i in range(60))


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux's list of threads")
def test_helpers_leave_with_their_call():
    before = len(os.listdir("/proc/self/task"))
    for _ in range(20):
        PROB.gradient(NET.init(60_000, rng=8), n_threads=6)
    deadline = time.monotonic() + 10.0
    while len(os.listdir("/proc/self/task")) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/task")) <= before
