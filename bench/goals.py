"""What the engine must reach: ratio (peer / engine) per workload and peer, and absolute goals."""

RATIOS: dict[str, dict[str, float]] = {
    "W1 gradient": {
        "jax-broadcasting": 9.0,
        "numpy-broadcasting": 28.0,
        "jax-matrix": 2.8,
        "numpy-matrix": 14.0,
        "jax-expert": 1.4,
    },
    "W1 Hessian": {"jax-broadcasting": 30.0, "torch-vmap": 145.0, "jax-expert": 1.8},
    "W2 gradient": {
        "jax-matrix": 19.0,
        "torch-vmap": 13.0,
        "numpy-matrix": 6.5,
        "jax-expert": 4.0,
    },
    "W2 Hessian": {
        "jax-matrix": 150.0,
        "torch-vmap": 390.0,
        "numpy-matrix": 9.5,
        "jax-expert": 6.0,
    },
    "W3 gradient": {
        "torch-vmap": 8.0,
        "jax-matrix": 2.2,
        "jax-samples-last": 2.2,
        "numpy-matrix": 2.5,
    },
    "W3 Hessian": {"jax-matrix": 105.0, "numpy-matrix": 2.1},
    "W4 gradient": {
        "numpy-matrix": 8.0,
        "numpy-broadcasting": 8.0,
        "jax-matrix": 3.8,
        "jax-broadcasting": 3.8,
    },
    "W5 flow": {"diffrax-kvaerno3": 185.0, "scipy-lsoda-numba": 90.0},
    "W6 flow": {"cvode-numpy": 10.0, "scipy-bdf": 7.0},
}

LIMITS: dict[str, float] = {
    "W1 gradient": 0.44,
    "W1 Hessian": 0.35,
    "W2 gradient": 0.48,
    "W2 Hessian": 0.52,
    "W3 gradient": 0.46,
    "W3 Hessian": 0.54,
    "W4 gradient": 0.43,
}
"""Fraction of the core's peak, fair operations over the time of the public call."""

HESSIAN_PER_GRADIENT = {"W2": 1.6}
"""Most gradients that a Hessian may cost."""

W5_SECONDS = 0.025
"""For 1,000 flows, at REFERENCE_PEAK; in proportion on other cores."""

REFERENCE_PEAK = 112e9
"""FMA peak in operations per second of the core on which the absolute goals were set."""

LANE_USE = 0.95
"""Least fraction of vector lanes that hold a run, over the steps of W5."""

W6_OVERHEAD = 1.3
"""Most that the flow may cost, in units of its evaluations times their cost."""
