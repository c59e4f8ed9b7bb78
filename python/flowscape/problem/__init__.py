"""What is studied: network, target, samples and loss. Frozen, hashed, readable from TOML.

What an evaluation does not need is imported from its own module: `symmetry`, `toml`, `traits`,
`zeros`. A dataclass costs a millisecond of the import.
"""

from flowscape.problem.activation import Activation, activation
from flowscape.problem.data import Samples
from flowscape.problem.hashing import array_hash, content_hash
from flowscape.problem.layout import Parameters
from flowscape.problem.loss import LOSSES, loss_scale
from flowscape.problem.network import TwoLayer
from flowscape.problem.streams import Purpose, stream_key
from flowscape.problem.teacher import Teacher
from flowscape.problem.term import Term

__all__ = [
    "LOSSES",
    "Activation",
    "Parameters",
    "Purpose",
    "Samples",
    "Teacher",
    "Term",
    "TwoLayer",
    "activation",
    "array_hash",
    "content_hash",
    "loss_scale",
    "stream_key",
]
