"""Whatever is given in place of an argument: a result, or the package's error naming the argument.

Every argument of the public functions and methods is replaced by values of wrong types. Nothing
raises a bare AttributeError, TypeError or IndexError from the inside; a value of a type that no
argument takes is always refused, by the name of the argument.
"""

import functools
import inspect

import numpy as np
import pytest

import flowscape as fs

NET = fs.TwoLayer(3, 1, bias=False)
TEACHER = fs.Teacher(fs.TwoLayer(1, 1, bias=False), np.array([1.0, 0.7]))
X = np.linspace(-2.0, 2.0, 5)[:, None]
PROB = fs.Problem(NET, fs.Samples.of(TEACHER, X), "half_sum", teacher=TEACHER)
FAMILY = fs.branches(NET, TEACHER)
BRANCH = FAMILY[0]
RNG = np.random.default_rng(3)
ON = BRANCH.sample(RNG)
OTHER = FAMILY[1].sample(RNG)
START = NET.init(2, rng=1)
T = np.array([0.1, 0.2])
STUDY = fs.Study.packaged("two-tanh-neurons")


class Alien:
    """What no argument is."""

    def __repr__(self):
        return "Alien()"


ALIEN = Alien()
WRONG = [
    None,
    True,
    3,
    -1,
    2.5,
    np.nan,
    1j,
    "abc",
    ["a", "b"],
    [],
    {},
    [[1.0], [2.0, 3.0]],
    np.array([None, None]),
    np.zeros((2, 2, 2, 2)),
    len,
    NET,
    TEACHER,
    PROB,
    ALIEN,
]


@functools.cache
def flow():
    return fs.gradient_flow(PROB, START, max_steps=50)


@functools.cache
def polished():
    return fs.polish(PROB, ON, precision="double-double")


@functools.cache
def geometry():
    return fs.limit_geometry(PROB, ON)


def branch(net):
    teacher = fs.TwoLayer(1, 1, net.activation, bias=net.bias)
    return fs.branches(net, fs.Teacher(teacher, np.full(teacher.n_params, 0.5)))[0]


THREADS = {"n_threads": 1}
CALLS = {
    "TwoLayer": lambda: (
        fs.TwoLayer,
        {"width": 2, "inputs": 1, "activation": "tanh", "bias": True, "outputs": 1}
        | {"output_bias": False},
    ),
    "TwoLayer.pack": lambda: (
        fs.TwoLayer(2, 1, output_bias=True).pack,
        {"a": np.ones(2), "w": np.ones((2, 1)), "b": np.ones(2), "c": [1.0]},
    ),
    "TwoLayer.unpack": lambda: (NET.unpack, {"theta": ON}),
    "TwoLayer.init": lambda: (
        NET.init,
        {"n": 2, "rng": 1, "scale": 1.0, "kind": "normal", "first_run": 0},
    ),
    "TwoLayer.call": lambda: (NET, {"theta": ON, "x": X, "n_threads": 1}),
    "Teacher": lambda: (fs.Teacher, {"net": TEACHER.net, "theta": TEACHER.theta}),
    "Teacher.call": lambda: (TEACHER, {"x": X, "n_threads": 1}),
    "Samples": lambda: (fs.Samples, {"x": X, "y": X[:, 0], "weights": None}),
    "Samples.of": lambda: (fs.Samples.of, {"teacher": TEACHER, "x": X, "weights": None}),
    "Term": lambda: (fs.Term, {"name": "tanh", "c": 1.0, "s": 1.0, "h": 0.0, "coefficients": ()}),
    "Term.of": lambda: (fs.Term.of, {"spec": "tanh"}),
    "Term.jet": lambda: (fs.Term("tanh").jet, {"z": 0.5}),
    "Term.scale": lambda: (fs.Term("tanh").scale, {"z": 0.5}),
    "Activation": lambda: (fs.Activation, {"terms": (fs.Term("tanh"),)}),
    "Activation.values": lambda: (NET.activation.values, {"z": 0.5, "order": 1}),
    "Activation.compiled_values": lambda: (NET.activation.compiled_values, {"z": 0.5, "order": 1}),
    "Activation.jet": lambda: (NET.activation.jet, {"z": 0.5}),
    "Activation.taylor": lambda: (NET.activation.taylor, {"order": 3, "at": 0.0}),
    "Activation.scale": lambda: (NET.activation.scale, {"z": 0.5}),
    "activation": lambda: (
        fs.activation,
        {"name": "softplus", "beta": 1.0, "scale": 1.0, "shift": 0.0, "minus": 0.0}
        | {"coefficients": ()},
    ),
    "Problem": lambda: (
        fs.Problem,
        {"net": NET, "data": PROB.data, "loss": "sum", "l2": 0.0, "teacher": TEACHER},
    ),
    "Problem.loss": lambda: (PROB.loss, {"theta": ON, **THREADS}),
    "Problem.gradient": lambda: (PROB.gradient, {"theta": ON, **THREADS}),
    "Problem.hessian": lambda: (PROB.hessian, {"theta": ON, **THREADS}),
    "Problem.evaluate": lambda: (PROB.evaluate, {"theta": ON, "order": 1, **THREADS}),
    "Problem.hvp": lambda: (PROB.hvp, {"theta": ON, "v": ON, **THREADS}),
    "Problem.residual": lambda: (PROB.residual, {"theta": ON, **THREADS}),
    "Problem.jacobian": lambda: (PROB.jacobian, {"theta": ON, **THREADS}),
    "Problem.noise": lambda: (PROB.noise, {"theta": ON, **THREADS}),
    "branches": lambda: (fs.branches, {"net": NET, "teacher": TEACHER}),
    "Branches": lambda: (fs.Branches, {"net": NET, "teacher": TEACHER}),
    "Branches.count": lambda: (FAMILY.count, {"r": 1, "l": 0}),
    "Branches.locate": lambda: (FAMILY.locate, {"theta": ON, "tol": 1e-6, "margin": 0.1}),
    "Branch.project": lambda: (BRANCH.project, {"theta": ON}),
    "Branch.distance": lambda: (BRANCH.distance, {"theta": ON}),
    "Branch.contains": lambda: (BRANCH.contains, {"theta": ON, "tol": 1e-9}),
    "Branch.equations": lambda: (BRANCH.equations, {"theta": ON}),
    "Branch.equations_jacobian": lambda: (BRANCH.equations_jacobian, {"theta": ON}),
    "Branch.tangent": lambda: (BRANCH.tangent, {"theta": ON}),
    "Branch.sample": lambda: (BRANCH.sample, {"rng": np.random.default_rng(1)}),
    "Branch.separation": lambda: (BRANCH.separation, {"x": X, "theta": ON, "rng": None}),
    "exponential Branch.sample": lambda: (
        branch(fs.TwoLayer(2, 1, "exp")).sample,
        {"rng": np.random.default_rng(1)},
    ),
    "exponential Branch.separation": lambda: (
        branch(fs.TwoLayer(2, 1, "exp")).separation,
        {"x": X, "theta": None, "rng": None},
    ),
    "coupled Branch.sample": lambda: (
        branch(fs.TwoLayer(2, 1, "sigmoid")).sample,
        {"rng": np.random.default_rng(1)},
    ),
    "homogeneous Branch.sample": lambda: (
        branch(fs.TwoLayer(2, 1, "relu", bias=False)).sample,
        {"rng": np.random.default_rng(1)},
    ),
    "homogeneous Branch.separation": lambda: (
        branch(fs.TwoLayer(2, 1, "relu", bias=False)).separation,
        {"x": X, "theta": None, "rng": None},
    ),
    "Branch.intersection": lambda: (
        lambda other: BRANCH.intersection(other),
        {"other": FAMILY[1]},
    ),
    "intersection_poset": lambda: (fs.intersection_poset, {"family": FAMILY}),
    "connect": lambda: (
        fs.connect,
        {"family": FAMILY, "theta_a": ON, "theta_b": OTHER, "tol": 1e-6},
    ),
    "connected_components": lambda: (fs.connected_components, {"family": FAMILY}),
    "count_branches": lambda: (fs.count_branches, {"m": 3, "m0": 1, "r": 1}),
    "matching": lambda: (
        fs.matching,
        {"theta": ON, "teacher": TEACHER, "net": NET, "tol": 1e-6},
    ),
    "imperfect_zero": lambda: (
        fs.imperfect_zero,
        {"branch": BRANCH, "x": X, "theta": ON, "distance": 0.01, "rng": None},
    ),
    "jacobian_rank": lambda: (
        fs.jacobian_rank,
        {"net": NET, "theta": ON, "x": X, "digits": None},
    ),
    "separating_inputs": lambda: (
        fs.separating_inputs,
        {"net": NET, "theta": START[0], "x": X, "n": None, "rng": None},
    ),
    "separation_probability": lambda: (
        fs.separation_probability,
        {"branch": BRANCH, "n": 4, "sets": 64, "seed": 0, **THREADS},
    ),
    "recovery_stability": lambda: (
        fs.recovery_stability,
        {"branch": BRANCH, "teacher": TEACHER, "x": X, "theta": ON, "radius": 0.03, "runs": 1}
        | {"rng": None, **THREADS},
    ),
    "straight_barrier": lambda: (
        fs.straight_barrier,
        {"prob": PROB, "theta_a": ON, "theta_b": OTHER, "points": 11},
    ),
    "gradient_flow": lambda: (
        fs.gradient_flow,
        {"prob": PROB, "theta0": START, "rtol": 1e-3, "atol": 1e-6, "method": "rk45"}
        | {"t_max": 0.2, "gtol": None, "save_at": T, "max_steps": 20, "escape": 1e8}
        | {"extrapolate": False, "progress": None, **THREADS},
    ),
    "limit_flow": lambda: (
        fs.limit_flow,
        {"prob": PROB, "imbalance": np.ones(3), "rtol": 1e-3, "atol": None, "method": "rk45"}
        | {"t_max": 0.2, "gtol": None, "save_at": T, "max_steps": 20, "escape": 1e8}
        | {"extrapolate": False, "progress": None, **THREADS},
    ),
    "gradient_descent": lambda: (
        fs.gradient_descent,
        {"prob": PROB, "theta0": START, "learning_rate": 1e-3, "steps": 3, "momentum": 0.9}
        | {"algorithm": "adam", "betas": (0.9, 0.99), "epsilon": 1e-8, "batch_size": 2}
        | {"sampling": "shuffled", "seed": 0, "streams": None, "stop_loss": None, "gtol": None}
        | {"escape": 1e8, "save_at": [1], "progress": None, **THREADS},
    ),
    "linear_phase_steps": lambda: (
        fs.linear_phase_steps,
        {"factor": 10.0, "learning_rate": 0.1, "growth_rate": 1.0},
    ),
    "polish": lambda: (
        fs.polish,
        {"prob": PROB, "theta": ON, "gtol": None, "max_iterations": 3, "precision": "double"}
        | {"progress": None, **THREADS},
    ),
    "classify": lambda: (
        fs.classify,
        {"prob": PROB, "polished": fs.polish(PROB, flow().theta), "flow": flow(), **THREADS},
    ),
    "decide_zeros": lambda: (fs.decide_zeros, {"prob": PROB, "points": polished(), **THREADS}),
    "residual_dd": lambda: (
        fs.residual_dd,
        {"prob": PROB, "theta": ON, "theta_low": None, **THREADS},
    ),
    "jacobian_dd": lambda: (
        fs.jacobian_dd,
        {"prob": PROB, "theta": ON, "theta_low": None, **THREADS},
    ),
    "initial_imbalance": lambda: (fs.initial_imbalance, {"prob": PROB, "theta": START}),
    "limit_geometry": lambda: (fs.limit_geometry, {"prob": PROB, "theta": ON}),
    "LimitGeometry.parts": lambda: (geometry().parts, {"thetas": START}),
    "flow_into": lambda: (fs.flow_into, {"prob": PROB, "theta": ON, "side": 1}),
    "fit_approach": lambda: (
        fs.fit_approach,
        {"prob": PROB, "geometry": geometry(), "ts": np.geomspace(1.0, 1e3, 40)}
        | {"thetas": ON + np.geomspace(1e-3, 1e-9, 40)[:, None], "error": 1e-12, "near": 0.01},
    ),
    "boundary": lambda: (  # equal ends: refused, but after the other arguments
        fs.boundary,
        {"prob": PROB, "theta_a": ON, "theta_b": ON, "limit": False, "rtol": 1e-4}
        | {"width": 0.5, "sections": 2, "max_steps": 20, **THREADS},
    ),
    "boundary(side)": lambda: (
        functools.partial(
            fs.boundary, PROB, ON, -ON, rtol=1e-4, width=0.5, sections=2, max_steps=20
        ),
        {"side": "branch"},
    ),
    "check": lambda: (fs.check, {"name": "local-recovery/nothing"}),
    "load": lambda: (fs.load, {"path": "nothing"}),
    "FlowInto": lambda: (fs.flow_into(PROB, ON), {"t": T}),
    "Study.find": lambda: (fs.Study.find, {"name_or_path": "two-tanh-neurons"}),
    "Study.packaged": lambda: (fs.Study.packaged, {"name": "two-tanh-neurons"}),
    "Study.from_toml": lambda: (fs.Study.from_toml, {"path": "nothing.toml"}),
    "Study.with_seeds": lambda: (STUDY.with_seeds, {"seeds": 2}),
    "Study.samples": lambda: (STUDY.samples, {"size": 6, "sample_set": STUDY.sample_sets[0]}),
    "Study.problem": lambda: (STUDY.problem, {"size": 6, "sample_set": STUDY.sample_sets[0]}),
    "recover": lambda: (fs.recover, {"study": ALIEN}),
    "recover(progress)": lambda: (
        functools.partial(fs.recover, STUDY.with_seeds(1), n_threads=1),
        {"progress": None},
    ),
}

CALLBACKS = {"progress", "side"}
"""Arguments that are functions: what theirs raises is not ours."""

OTHER_NAMES = {
    ("Term", "name"): "activation",
    ("Term.of", "spec"): "activation",
    ("activation", "name"): "activation",
    ("Study.packaged", "name"): "study",
}
"""What messages call an argument that goes by another name in a study file."""


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_type_is_refused_by_name_and_never_raises_from_the_inside(call):
    function, arguments = CALLS[call]()
    for name in arguments:
        for wrong in WRONG:
            if name in CALLBACKS and callable(wrong):
                continue
            try:
                function(**{**arguments, name: wrong})
            except fs.FlowscapeError as error:
                message = str(error)
            else:
                message = "accepted"
            if wrong is ALIEN:
                said = OTHER_NAMES.get((call, name), name)
                assert message.startswith((f"{said}=Alien()", f"{said} term Alien()")), name


def test_every_public_function_is_in_the_table():
    functions = {name for name in fs.__all__ if inspect.isfunction(getattr(fs, name))}
    assert functions <= set(CALLS)
