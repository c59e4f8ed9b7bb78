"""Local geometry that needs flows or losses: paths of zero loss, recovery stability."""

from flowscape.critical.connect import connect
from flowscape.critical.paths import ZeroLossPath, straight_barrier
from flowscape.critical.recovery import RecoveryMeasurement, RecoveryPrediction, recovery_stability

__all__ = [
    "RecoveryMeasurement",
    "RecoveryPrediction",
    "ZeroLossPath",
    "connect",
    "recovery_stability",
    "straight_barrier",
]
