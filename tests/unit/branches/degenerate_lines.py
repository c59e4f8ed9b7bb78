"""Perfect networks of relu, leaky relu and |z| with biases where many strata meet, from scratch."""

import numpy as np
from homogeneous import SHIFT, TILT


def random_network(student, lines, rng):
    """A random perfect network (P,) with neurons that do nothing in special places, or None.

    Every label has one neuron on a random side. The others are on labels with unknown weights,
    constants, a pair at u and -u, or nothing: v = 0, or a = 0 anywhere, beside labels, at w = 0 or
    on one line with each other. What they must add up to is solved for.
    """
    alpha, slope = TILT[student.name]
    d, m0, e = student.d, len(lines.weights), np.eye(student.d + 1)[-1]
    rows = d if student.output_bias else d + 1
    places = list(map(int, rng.permutation(student.m)))
    carriers, places = places[:m0], places[m0:]
    signs = rng.choice([-1.0, 1.0], size=m0)
    p, u = np.zeros(student.m), rng.normal(size=(student.m, d + 1))
    u /= np.linalg.norm(u, axis=1)[:, None]
    lengths, still = np.exp(rng.normal(scale=0.3, size=student.m)), []
    for t, k in enumerate(carriers):
        u[k], p[k] = signs[t] * lines.lines[t], lines.weights[t, 0]
    unknown, columns = [], []
    while places:
        k, t = places.pop(), int(rng.integers(m0)) if m0 else -1
        role = rng.integers(6 if m0 else 5)
        if role == 5:
            one = rng.choice([-1.0, 1.0])
            u[k] = one * lines.lines[t]
            unknown.append(("label", k, t))
            columns.append(slope * (one - signs[t]) * lines.lines[t][:, None])
        elif role == 4:
            one = rng.choice([-1.0, 1.0])
            u[k] = one * e
            unknown.append(("constant", k))
            columns.append((alpha + one * slope) * e[:, None] * (not student.output_bias))
        elif role == 3 and places and slope:
            unknown.append(("pair", k, places.pop()))
            columns.append(2.0 * slope * np.eye(d + 1))
        elif role == 2:
            still.append(k)
        elif role == 1:
            corners = [*lines.lines, e, u[k], *(u[j] for j in range(student.m) if p[j] == 0.0)]
            u[k] = rng.choice([-1.0, 1.0]) * corners[int(rng.integers(len(corners)))]
    if lines.linear is None:
        wanted = lines.constant * e * (not student.output_bias)
        columns = [c * e[:, None] for c in columns]
    else:
        wanted = slope * (lines.linear[0] - (signs * lines.weights[:, 0]) @ lines.lines)
        if student.output_bias:
            wanted[-1] = 0.0
    matrix = np.concatenate([np.zeros((d + 1, 0)), *columns], axis=1)
    reduced = matrix[:rows] if lines.linear is not None else matrix
    right = wanted[:rows] if lines.linear is not None else wanted
    x = np.linalg.lstsq(reduced, right, rcond=1e-9)[0] if matrix.size else np.zeros(matrix.shape[1])
    if np.linalg.norm(reduced @ x - right) > 1e-10:
        return None
    if rng.random() < 0.5 and matrix.size:
        wild = rng.normal(size=len(x))
        x = x + wild - np.linalg.lstsq(reduced, reduced @ wild, rcond=1e-9)[0]
    at = 0
    for kind, k, *more in unknown:
        if kind == "pair":
            vector = x[at : at + d + 1]
            size = float(np.linalg.norm(vector))
            one = rng.choice([-1.0, 1.0])
            if size > 1e-12:
                u[k], u[more[0]] = one * vector / size, -one * vector / size
            p[k], p[more[0]] = one * size, -one * size
            at += d + 1
            continue
        p[k] = x[at]
        if kind == "label":
            p[carriers[more[0]]] -= x[at]
        at += 1
    p[np.abs(p) < 1e-13] = 0.0
    a, v = p / lengths, lengths[:, None] * u
    a[still], v[still] = rng.normal(size=len(still)), 0.0
    v[:, -1] -= SHIFT.get(student.name, 0.0)
    theta = np.concatenate([a[:, None], v], axis=1).ravel()
    return np.append(theta, 0.0) if student.output_bias else theta


def may_contain(branch, theta, tol=1e-9):
    """Whether every neuron is on a half line, or at w = 0, where the branch wants it."""
    s = branch.setting
    v = s.split(theta[None])[1][0]
    blocks, signs = branch.blocks, np.array(branch.signs)
    head = 1 + len(branch.shape.labelled)
    for k in blocks[0]:
        if branch.shape.silent and np.linalg.norm(v[k]) > tol:
            return False
        if np.linalg.norm(v[k][:-1]) > tol or signs[k] * v[k][-1] < -tol:
            return False
    for line, block in zip(branch.lines.lines, blocks[1:head], strict=False):
        for k in block:
            along = max(0.0, signs[k] * float(v[k] @ line))
            if np.linalg.norm(v[k] - along * signs[k] * line) > tol:
                return False
    return all(
        np.linalg.svd(v[list(block)], compute_uv=False)[1:].max(initial=0.0) <= tol
        for block in blocks[head:]
    )
