"""The exhibits of the local-recovery paper, and a counterexample that is found by search."""

import re

import numpy as np
import pytest
from crowding import crowding

from flowscape.papers import Verdict, paper, run
from flowscape.report import style

NAME = "local-recovery"


def test_the_first_counterexample_to_lemma_3_5_is_found_by_search(examined):
    """Four neurons, one target neuron, two blocks of two that cross; below 10 s."""
    one = examined(NAME, "lemma-3-5")
    assert one.seconds < 10.0
    assert one.printed is Verdict.FAILS
    match = re.fullmatch(r"m=4, m0=1: (.*) and (.*)", one.evidence["counterexample"])
    assert match, one.evidence
    first, second = (
        [{*group.split(",")} for group in re.findall(r"{(.*?)}", name)] for name in match.groups()
    )
    assert [len(group) for group in (*first, *second)] == [2, 2, 2, 2]
    assert all(len(a & b) == 1 for a in first for b in second)


SMALL = {"fig2": {"members": 20}, "fig7": {"sets": 4}, "fig8": {"end": 20.0}, "table2": {"sets": 2}}
EXHIBITS = [one.name for one in paper(NAME).exhibits if one.name != "fig1"]  # examines everything


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_exhibits_compute_compare_and_draw(exhibit):
    pytest.importorskip("matplotlib")
    found = run(f"{NAME}/{exhibit}", **SMALL.get(exhibit, {}))
    assert found.numbers.comparison
    assert all(c.why for c in found.numbers.comparison), "what differs needs a reason"
    with style.context():
        assert crowding(found.draw()) == []


def test_figure_1_draws_every_verdict():
    pytest.importorskip("matplotlib")
    one = paper(NAME).exhibit("fig1")
    names = [f"result {i}" for i in range(5)]
    arrays = {
        "names": np.array(names),
        "place": np.arange(10.0).reshape(5, 2),
        "outcome": np.array([0, 1, 2, 3, 0]),
        "arrows": np.array([[0, 1], [3, 4]]),
    }
    texts = {text.get_text() for text in one.draw(arrays).axes[0].texts}
    assert set(names) <= texts
