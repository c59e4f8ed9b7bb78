"""The exhibits of the single-neuron-target paper: pictures, numbers, comparisons."""

import numpy as np
import pytest
from crowding import crowding

from flowscape.branches import branches
from flowscape.papers import paper, run
from flowscape.papers.folder import write
from flowscape.papers.single_neuron_target.separation import separated_q1, separated_q2
from flowscape.papers.single_neuron_target.setting import (
    example_1,
    gaussian_inputs,
    single_neuron,
)
from flowscape.report import style

NAME = "single-neuron-target"
STUDENT = example_1(np.zeros(1)).net

# Small versions; what is drawn and compared is the same.
SMALL = {
    "table1": {"sample_sets": 2, "starts": 4},
    "fig1": {"seeds": 2, "trials": 1},
    "fig2": {"points": 60},
    "fig3": {"seeds": 8, "steps": 2000, "grid": 4},
    "fig4": {"seeds": 2, "ratios": 5, "intervals": False},
    "fig5": {"width": 30, "steps": 2000, "points": 60},
    "fig6": {"widths": (2, 20)},
    "fig7": {"inputs": 12, "n": 20, "steps": 200},
    "fig8": {"count": 9},
    "fig9": {"seeds": 1, "count": 5},
    "fig10": {"seeds": 1, "count": 5},
    "fig11": {"seeds": 1, "ratios": 3, "steps": (2000, 1000)},
}


def test_every_exhibit_has_a_small_version():
    assert sorted(SMALL) == sorted(exhibit.name for exhibit in paper(NAME).exhibits)


@pytest.mark.parametrize("name", SMALL)
def test_exhibits_write_picture_numbers_and_comparison(name, tmp_path):
    result = run(f"{NAME}/{name}", **SMALL[name])
    assert len(result.numbers.comparison) >= 2
    for row in result.numbers.comparison:
        assert row.quantity
        assert row.paper
        assert row.flowscape
        assert row.why
    files = write(result, tmp_path / name).files
    assert {"comparison.md", "data.npz", f"{name}.png", "manifest.json"} <= set(files)
    assert (tmp_path / name / f"{name}.png").stat().st_size > 20_000
    with style.context():
        assert crowding(result.draw()) == []


def test_a_crowded_figure_is_noticed():
    fig = style.new_figure(4, 3)
    ax = fig.add_subplot()
    ax.plot([0, 1], [0, 1], label="line")
    ax.legend(loc="center")
    ax.text(0.2, 0.8, "one")
    assert crowding(fig) == []
    ax.plot(np.linspace(0, 1, 50), np.linspace(0, 1, 50), label="curve")
    ax.text(0.2, 0.8, "two")
    fig.text(1.2, 0.5, "far")
    assert crowding(fig) == ["'one' on 'two'", "'far' outside", "legend 'line' on 'curve'"]


def test_curves_of_one_ratio_coincide():
    arrays = run(f"{NAME}/fig2", points=60).numbers.arrays
    gaps = np.abs(arrays["flows"] - arrays["limit"]).max(axis=(1, 2))
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] < 1e-6


def test_the_separation_by_hand_agrees_with_the_branches():
    q1, q2 = (orbit.representative for orbit in branches(STUDENT, single_neuron()).orbits()[:2])
    for n in (3, 4, 5, 6):
        for seed in range(5):
            x = gaussian_inputs(n, seed)
            for branch, by_hand in ((q1, separated_q1(x)), (q2, separated_q2(x, 0.3, -0.7))):
                assert (branch.separation(x[:, None]).verdict.name == "SEPARATED") == by_hand
