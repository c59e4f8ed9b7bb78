"""What importing the package does, and what it leaves alone."""

import os
import subprocess
import sys

import pytest

from flowscape import _core


def python(code, *, isa=None, flags=()):
    environment = {k: v for k, v in os.environ.items() if k != "FLOWSCAPE_ISA"}
    if isa is not None:
        environment["FLOWSCAPE_ISA"] = isa
    return subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def test_import_loads_only_what_it_needs():
    code = "import sys, flowscape; print(*{name.split('.')[0] for name in sys.modules})"
    done = python(code)
    assert done.stderr == ""
    loaded = set(done.stdout.splitlines()[-1].split())
    heavy = {"tqdm", "matplotlib", "scipy", "pandas", "mpmath", "hypothesis", "pytest"}
    assert "flowscape" in loaded
    assert not loaded & heavy


def test_import_loads_the_compiled_core_and_no_layer():
    done = python("import sys, flowscape; print(*sys.modules)")
    loaded = {name for name in done.stdout.splitlines()[-1].split() if "flowscape" in name}
    assert "flowscape._core" in loaded
    assert not {
        name
        for name in loaded
        if "." in name
        and not name.startswith("flowscape._core")
        and not name.startswith("_flowscape_editable")
    }


def test_what_a_flow_needs_is_imported_without_what_it_does_not():
    """Together these took half of the import: bench/importtime.py, "ready for a flow"."""

    def loaded(statement):
        done = python(f"import sys, numpy, flowscape\n{statement}\nprint(*sys.modules)")
        assert done.stderr == ""
        return set(done.stdout.splitlines()[-1].split())

    ready = loaded("from flowscape import Problem, Samples, TwoLayer, gradient_flow")
    assert "flowscape.flow" in ready
    later = {"difflib", "hashlib", "json", "numpy.polynomial", "numpy.random", "tomllib"}
    assert not (ready - loaded("")) & later


def test_functions_keep_their_names_whatever_is_imported_first():
    """`branches`, `classify` and `polish` are submodules too."""
    done = python(
        "import sys\n"
        "import flowscape.classify, flowscape.polish, flowscape.branches.family\n"
        "import flowscape as fs\n"
        "from flowscape.branches import Branch\n"
        "for name in ('branches', 'classify', 'polish'):\n"
        "    assert callable(getattr(fs, name)), name\n"
        "    assert not callable(sys.modules['flowscape.' + name])\n"
        "assert fs.errors.ShapeError is fs.ShapeError\n"
        "assert fs.Branch is Branch\n"
    )
    assert done.stderr == ""


@pytest.mark.parametrize("policy", [None, "active"])
def test_import_leaves_the_environment_alone(policy):
    setting = "" if policy is None else f"os.environ['OMP_WAIT_POLICY'] = {policy!r}; "
    done = python(
        f"import os; {setting}a = dict(os.environ); import flowscape; print(a == os.environ)"
    )
    assert done.stdout.splitlines()[-1] == "True"


def test_exactly_one_level_is_loaded():
    done = python("import sys, flowscape; print(*(n for n in sys.modules if '_core._core_' in n))")
    assert done.stdout.splitlines()[-1].split() == [
        f"flowscape._core._core_{_core.built_levels()[0]}"
    ]


@pytest.mark.parametrize("isa", ["v9", "avx512", "V3", "native "])
def test_an_unknown_level_is_an_import_error(isa):
    done = python("import flowscape", isa=isa)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: FLOWSCAPE_ISA=")
    assert repr(isa) in last
    assert all(level in last for level in _core.built_levels())


@pytest.mark.parametrize("level", ["v2", "v3", "v4", "native"])
def test_a_level_that_was_not_built_is_an_import_error(level):
    if level in _core.built_levels():
        pytest.skip(f"{level} was built")
    done = python("import flowscape", isa=level)
    assert done.returncode == 1
    assert f"ImportError: FLOWSCAPE_ISA={level!r} was not built" in done.stderr


def test_an_empty_choice_is_no_choice():
    done = python("import flowscape; print(flowscape._core.isa())", isa="")
    assert done.stdout.split()[-1:] == [_core.built_levels()[0]]


FLOATS = """
import sys, threading
import numpy as np
import flowscape as fs
from flowscape import _core

def check():
    assert sys.float_info.min / 2 > 0.0
    assert np.float64(5e-324) * np.ones(64).sum() > 0.0
    assert (np.full(64, sys.float_info.min) / 2 > 0.0).all()
    assert np.float64(1) / 3 * 3 == 1.0

check()
net = fs.TwoLayer(2, 1)
prob = fs.Problem(net, fs.Samples([-1.0, 0.0, 1.0], [0.5, 0.0, 0.1]))
theta = net.init(500, rng=1)
for n_threads in (1, 2):
    prob.evaluate(theta, n_threads=n_threads)
    check()
    flow = fs.gradient_flow(prob, theta[:40], t_max=10.0, n_threads=n_threads)
    check()
    fs.polish(prob, flow.theta, n_threads=n_threads)
    check()
thread = threading.Thread(target=check)
thread.start()
thread.join()
(tiny,) = _core.activation_values(
    _core.Activation([("polynomial", 1.0, 1.0, 0.0, [0.0, 0.5])]), np.full(9, sys.float_info.min), 0
)
assert (tiny == sys.float_info.min / 2).all()
print("same")
"""


def test_the_float_environment_is_left_alone():
    done = python(FLOATS)
    assert done.stderr == ""
    assert done.stdout.endswith("same\n")


def test_the_front_door_lists_what_it_has():
    done = python(
        "import flowscape as fs\n"
        "assert sorted(fs.__all__) == list(fs.__all__)\n"
        "assert all(hasattr(fs, name) for name in fs.__all__)\n"
        "try:\n"
        "    assert not hasattr(fs, 'branches.family')\n"
        "    fs.no_such_name\n"
        "except AttributeError as error:\n"
        "    print(error)\n"
    )
    assert done.stderr == ""
    assert "no_such_name" in done.stdout
