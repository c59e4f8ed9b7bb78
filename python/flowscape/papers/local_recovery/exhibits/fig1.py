"""Figure 1: what follows from what, coloured by the verdicts of the checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flowscape.papers.exhibit import Comparison, Exhibit, Numbers
from flowscape.papers.finding import Verdict
from flowscape.papers.local_recovery.ledger import STATEMENTS
from flowscape.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIG1"]

# Column, row and checks of every result; the arrows are the citations in the proofs.
_NODES: dict[str, tuple[float, float, tuple[str, ...]]] = {
    "Lemma 3.1": (0, 6, ("lemma-3-1",)),
    "Prop. 3.1": (0, 7, ("proposition-3-1",)),
    "Lemma 3.2": (0, 3, ("lemma-3-2",)),
    "Lemma 3.3": (1, 3, ("lemma-3-3",)),
    "Cor. 3.1": (1, 7, ("corollary-3-1",)),
    "Cor. 3.2": (1, 5, ("corollary-3-2",)),
    "Lemma 4.1": (1, 1, ("lemma-4-1",)),
    "Prop. 3.2": (2, 7, ("proposition-3-2-a", "proposition-3-2-c")),
    "Lemma 3.4": (2, 5, ("lemma-3-4",)),
    "Cor. 3.5": (2, 4, ("corollary-3-5",)),
    "Cor. 3.4": (2, 3, ("corollary-3-4",)),
    "Thm 5.1": (2, 1, ("theorem-5-1", "lojasiewicz")),
    "Lemma 3.5": (3, 7.5, ("lemma-3-5",)),
    "Lemma 3.6": (3, 6.5, ("lemma-3-6",)),
    "Lemma 4.2": (
        3,
        5,
        ("lemma-4-2-a", "lemma-4-2-b-small", "lemma-4-2-b-large", "lemma-4-2-c"),
    ),
    "Lemma 4.3": (3, 3, ("lemma-4-3-a", "lemma-4-3-b")),
    "Thm 5.2": (3, 1, ("theorem-5-2",)),
    "Lemma 5.1": (2.2, 0, ("lemma-5-1-a", "lemma-5-1-b")),
    "Lemma 5.2": (3.45, 0, ("lemma-5-2",)),
    "Prop. 5.1": (4, 1, ("proposition-5-1",)),
    "Prop. 4.1": (4.15, 3, ("proposition-4-1",)),
    "Thm 2.1": (4, 6, ("theorem-2-1",)),
    "Thm 5.3": (4, 4.6, ("theorem-5-3-a", "theorem-5-3-b", "theorem-5-3-c")),
    "Cor. 5.1": (5, 4, ("corollary-5-1-a", "corollary-5-1-b")),
    "Thm 5.4": (5, 5.2, ("theorem-5-4-unstable", "theorem-5-4-stable")),
    "Thm 2.2": (5, 1.8, ("theorem-2-2-a", "theorem-2-2-b")),
}
_ARROWS = (
    "3.1L-3.1C 3.1L-3.2C 3.1C-3.2P 3.2C-3.4L 3.2C-3.5C 3.2L-3.3L 3.3L-3.4C 3.3L-3.5C 3.3L-3.4L "
    "3.2P-3.5L 3.2P-4.2L 3.6L-4.2L 3.4L-4.2L 3.4C-4.2L 3.4C-4.3L 4.2L-2.1T 4.3L-2.1T 4.3L-4.1P "
    "4.1L-5.1T 5.1T-5.2T 5.2T-5.1P 5.1L-5.2L 5.1L-5.3T 5.2L-5.3T 4.2L-5.3T 5.3T-5.1C 5.3T-5.4T "
    "4.2L-5.4T 4.3L-5.4T 5.2T-2.2T 5.1P-2.2T 5.3T-2.2T"
)
_LETTERS = {"L": "Lemma", "C": "Cor.", "P": "Prop.", "T": "Thm"}
_OUTCOMES = ("holds as printed", "holds as corrected", "cited", "fails")


def _name(short: str) -> str:
    return f"{_LETTERS[short[-1]]} {short[:-1]}"


def compute(*, n_threads: int | None = None) -> Numbers:
    """Examine the statements of every box."""
    by_name = {s.name: s for s in STATEMENTS}
    outcome = []
    table: dict[str, list[str]] = {"result": [], "checks": [], "verdict": []}
    for result, (_, _, names) in _NODES.items():
        found = [by_name[name].check("local-recovery") for name in names]
        own = [c for c in found if c.kind != "cited"]
        if not all(c.passed for c in found):
            code = 3
        elif not own:
            code = 2
        else:
            code = int(any(c.printed is Verdict.FAILS for c in own))
        outcome.append(code)
        for key, value in zip(table, (result, " ".join(names), _OUTCOMES[code]), strict=True):
            table[key].append(value)
    codes = np.array(outcome)
    index = {name: i for i, name in enumerate(_NODES)}
    arrows = [[index[_name(end)] for end in arrow.split("-")] for arrow in _ARROWS.split()]
    wrong = [name for name, code in zip(_NODES, outcome, strict=True) if code == 1]
    comparison = [
        Comparison.of(
            "results that hold as printed",
            f"{len(codes)}",
            f"{(codes != 1).sum()}; not as printed: {', '.join(wrong)}",
            agrees=not wrong,
            why="corrections on the page of the paper; every corrected statement holds",
        )
    ]
    arrays = {
        "names": np.array(list(_NODES)),
        "place": np.array([node[:2] for node in _NODES.values()]),
        "outcome": codes,
        "arrows": np.array(arrows),
    }
    return Numbers(arrays, comparison, table)


def draw(arrays: Mapping[str, NDArray]) -> Figure:
    """Draw boxes and arrows."""
    fig = style.new_figure(10.0, 5.6)
    ax = fig.add_subplot()
    place, colours = arrays["place"], ("#8FD3C1", "#F3C98B", "#DDDDDD", "#D55E00")
    texts = []
    for (x, y), name, code in zip(place, arrays["names"], arrays["outcome"], strict=True):
        box = {"boxstyle": "round", "fc": colours[int(code)], "ec": "none"}
        texts.append(ax.text(x, y, str(name), ha="center", va="center", bbox=box, zorder=3))
    for start, end in arrays["arrows"]:
        look = {"arrowstyle": "-|>", "color": "#AAAAAA", "lw": 0.9, "shrinkA": 2, "shrinkB": 2}
        boxes = {"patchA": texts[start].get_bbox_patch(), "patchB": texts[end].get_bbox_patch()}
        ax.annotate("", place[end], place[start], arrowprops=look | boxes, zorder=1)
    for code, label in enumerate(_OUTCOMES[: int(arrays["outcome"].max()) + 1]):
        ax.scatter([], [], s=70, marker="s", color=colours[code], label=label)
    ax.legend(loc="upper left", ncols=4, bbox_to_anchor=(0.0, 1.04))
    ax.set(xlim=(-0.5, 5.5), ylim=(-0.6, 8.3))
    ax.axis("off")
    style.head(fig, "What follows from what", "arrows: used in the proof; colours: the checks")
    return fig


FIG1 = Exhibit("fig1", "Results and their connections, with verdicts", compute, draw)
