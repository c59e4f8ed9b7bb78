"""The codes of Python and of the compiled core are one set of codes."""

import re
from pathlib import Path

from flowscape import Kind, Status
from flowscape.flow.batch import CORE_METHODS
from flowscape.flow.integrate import METHODS

OPTIONS = Path(__file__).parents[2] / "cpp/include/flowscape/flow/options.hpp"


def enumerators(name):
    body = re.search(rf"enum class {name}\b[^{{]*{{([^}}]*)}}", OPTIONS.read_text("utf-8"))
    return {key: int(code) for key, code in re.findall(r"(\w+)\s*=\s*(\d+)", body.group(1))}


def test_status_codes_are_those_of_the_core():
    assert {status.name.lower(): int(status) for status in Status} == enumerators("Status")


def test_method_codes_are_those_of_the_core():
    assert enumerators("FlowMethod") == CORE_METHODS
    assert set(METHODS) == {"auto", *CORE_METHODS}


def test_codes_are_fixed():
    """Stored results hold the numbers."""
    assert [status.name for status in Status] == [
        "CONVERGED", "TAIL_EXTRAPOLATED", "ESCAPED", "TIME_LIMIT", "STEP_LIMIT",
        "STEP_TOO_SMALL", "NONFINITE", "INTERRUPTED", "NOT_RUN", "KINK",
    ]  # fmt: skip
    assert [kind.name for kind in Kind] == [
        "PERFECT", "IMPERFECT", "ZERO_LOSS", "LOCAL_MINIMUM", "SADDLE", "DEGENERATE",
        "AT_INFINITY", "UNRESOLVED",
    ]  # fmt: skip
    assert list(map(int, Status)) == list(range(len(Status)))
    assert list(map(int, Kind)) == list(range(len(Kind)))


def test_every_status_says_something_of_its_own():
    messages = [status.message for status in Status]
    assert len(set(messages)) == len(messages)
    assert all(message == message.strip() and len(message) > 10 for message in messages)
