"""PyTorch: torch.func on the loss of one network, and batched autograd on all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.func import grad_and_value, hessian, vmap

from peerlib import Candidate, Results, from_neurons, join_neurons
from workloads import Workload

torch.set_num_threads(1)


def _rational(z: torch.Tensor) -> torch.Tensor:
    return z / (1.0 + z * z)


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "rational": _rational,
}


def per_network(work: Workload, order: int) -> Callable[[], Any]:
    """vmap(grad_and_value) and vmap(hessian) of one network's loss by matrix products."""
    sigma = ACTIVATIONS[work.activation]
    theta, x1, y = (torch.tensor(part) for part in (work.theta, work.x1, work.y))

    def loss(row: torch.Tensor) -> torch.Tensor:
        neurons = row.reshape(work.width, 1 + work.incoming)
        r = sigma(x1 @ neurons[:, 1:].T) @ neurons[:, 0] - y
        return work.scale * (r * r).sum()

    first = vmap(grad_and_value(loss))
    second = vmap(hessian(loss))
    if order == 1:
        return lambda: first(theta)
    return lambda: (*first(theta), second(theta))


def batched_autograd(work: Workload) -> Callable[[], Any]:
    """All losses as one batched expression, then one backward pass; samples last."""
    sigma = ACTIVATIONS[work.activation]
    a, w, x1t, y = (torch.tensor(part) for part in (work.a, work.w, work.x1.T.copy(), work.y))

    def run() -> Any:
        parts = a.clone().requires_grad_(True), w.clone().requires_grad_(True)
        h = sigma(torch.matmul(parts[1], x1t))
        r = torch.matmul(parts[0][:, None], h)[:, 0] - y
        loss = work.scale * (r * r).sum(dim=1)
        return loss.detach(), torch.autograd.grad(loss.sum(), parts)

    return run


def candidates(work: Workload, order: int) -> list[Candidate]:
    names = "grad_and_value" if order == 1 else "grad_and_value, hessian"
    found = [
        Candidate(
            "torch-vmap",
            f"torch.func vmap({names})",
            per_network(work, order),
            _canonical,
            {("W2", 2): 2500.0, ("W3", 2): 8000.0}.get((work.name, order), 0.0),
        )
    ]
    if order == 1:
        found.append(
            Candidate(
                "torch-batched",
                "PyTorch batched autograd, samples last",
                batched_autograd(work),
                lambda out: from_neurons(out[0], join_neurons(*out[1])),
            )
        )
    return found


def _canonical(out: tuple[torch.Tensor, ...]) -> Results:
    gradient, loss, *rest = (part.detach().numpy() for part in out)
    return loss, gradient, *rest
