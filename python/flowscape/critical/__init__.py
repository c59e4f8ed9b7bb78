"""Local geometry that needs flows or losses: paths of zero loss, recovery stability."""

from flowscape.critical.barrier import straight_barrier
from flowscape.critical.connect import connect
from flowscape.critical.recovery import RecoveryMeasurement, RecoveryPrediction, recovery_stability
from flowscape.critical.zero_loss_path import ZeroLossPath

__all__ = [
    "RecoveryMeasurement",
    "RecoveryPrediction",
    "ZeroLossPath",
    "connect",
    "recovery_stability",
    "straight_barrier",
]
