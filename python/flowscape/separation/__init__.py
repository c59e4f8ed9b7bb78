"""Branches against sample sets: ranks, quadratic forms, verdicts on separation."""

from flowscape.separation.assumptions import (
    generic_activation,
    linear_independence,
    rapid_decrease,
)
from flowscape.separation.imperfect import RankDrop, imperfect_zero, rank_drops
from flowscape.separation.jacobian import JacobianRank, jacobian_rank
from flowscape.separation.probability import SeparationProbability, separation_probability
from flowscape.separation.result import ImperfectZero, Reason, Separation, SeparationVerdict
from flowscape.separation.samples import SeparatingInputs, separating_inputs

__all__ = [
    "ImperfectZero",
    "JacobianRank",
    "RankDrop",
    "Reason",
    "SeparatingInputs",
    "Separation",
    "SeparationProbability",
    "SeparationVerdict",
    "generic_activation",
    "imperfect_zero",
    "jacobian_rank",
    "linear_independence",
    "rank_drops",
    "rapid_decrease",
    "separating_inputs",
    "separation_probability",
]
