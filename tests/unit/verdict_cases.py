"""Small problems whose verdicts can be argued by hand, and the calls that give a verdict."""

import numpy as np

from flowscape import Problem, Samples, Teacher, TwoLayer, classify, gradient_flow, polish

TARGET = Teacher(TwoLayer(1, 1, activation="tanh", bias=True), np.ones(3))  # tanh(x + 1)
X4 = np.array([-1.0, 0.2, 0.7, 1.5])[:, None]
Y4 = np.array([0.3, -0.5, 1.0, 0.4])


def network(width, bias=True, outputs=1, activation="tanh"):
    return TwoLayer(width, 1, activation=activation, bias=bias, outputs=outputs)


def to_target(width, n, teacher=TARGET, spread=2.0):
    x = np.linspace(-spread, spread, n)[:, None]
    samples = Samples.of(teacher, x)
    return Problem(network(width), samples, loss="half_sum", teacher=teacher)


def judge(prob, theta):
    """Verdict on the point by itself."""
    return classify(prob, polish(prob, theta))


def follow(prob, start, **options):
    flow = gradient_flow(prob, start, **options)
    return flow, classify(prob, polish(prob, flow.theta), flow)
