"""What a limit is: kind, branch, index, with the evidence."""

from flowscape.classify.verdicts import Verdicts, classify

__all__ = ["Verdicts", "classify"]
