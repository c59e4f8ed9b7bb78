"""What is studied: network, target, samples and loss. Frozen, hashed, readable from TOML."""

from flowscape.problem.activation import Activation, activation
from flowscape.problem.data import Samples
from flowscape.problem.hashing import array_hash, content_hash
from flowscape.problem.loss import LOSSES, loss_scale
from flowscape.problem.network import Parameters, TwoLayer
from flowscape.problem.streams import Purpose, stream_key
from flowscape.problem.symmetry import Symmetry, SymmetryClass, symmetry
from flowscape.problem.teacher import Teacher
from flowscape.problem.term import Term
from flowscape.problem.toml import dumps, loads, read_toml
from flowscape.problem.traits import Traits, traits
from flowscape.problem.zeros import Zeros, zeros

__all__ = [
    "LOSSES",
    "Activation",
    "Parameters",
    "Purpose",
    "Samples",
    "Symmetry",
    "SymmetryClass",
    "Teacher",
    "Term",
    "Traits",
    "TwoLayer",
    "Zeros",
    "activation",
    "array_hash",
    "content_hash",
    "dumps",
    "loads",
    "loss_scale",
    "read_toml",
    "stream_key",
    "symmetry",
    "traits",
    "zeros",
]
