"""`flowscape paper` and `flowscape check`, on the paper that comes with the package."""

import json

import numpy as np
import pytest

from flowscape.papers import Numbers, paper

NAME = "single-neuron-target"


def test_papers_are_listed_with_exhibits_and_statements(run):
    done = run("paper", "list")
    assert done.code == 0
    assert f"{NAME}: " in done.out
    assert "fig4" in done.out
    data = json.loads(run("paper", "list", NAME, "--json").out)
    (one,) = data["papers"]
    assert "theorem-1-i" in one["statements"]
    assert "fig4" in one["exhibits"]


def test_a_check_shows_both_verdicts_and_the_evidence(run):
    done = run("check", f"{NAME}/hessian-at-0")
    assert (done.code, done.err) == (0, "")
    for word in ("as printed", "fails", "holds", "corrected", "mutation", "as_printed"):
        assert word in done.out


def test_a_check_as_json(run):
    done = run("check", f"{NAME}/hessian-at-0", "--json")
    (one,) = json.loads(done.out)["checks"]
    assert (one["printed"], one["corrected"], one["passed"]) == ("fails", "holds", True)
    assert one["kind"] == "measured"
    assert one["instances"] > 0


def test_a_failed_check_is_exit_code_1(run, monkeypatch):
    from flowscape.papers import paper

    statement = next(s for s in paper(NAME).statements if s.name == "hessian-at-0")
    wrong = statement.examine(**statement.mutation)
    monkeypatch.setattr(type(statement), "check", wrong_check(statement, wrong))
    done = run("check", f"{NAME}/hessian-at-0")
    assert done.code == 1
    assert "1 failed (hessian-at-0)" in done.out


def wrong_check(statement, finding):
    from flowscape.papers.statement import Statement

    original = Statement.check

    def check(self, paper, *, mutated=False):
        return original(self, paper, mutated=True)

    assert finding.corrected == "fails"
    return check


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "single-neuron"), ["'single-neuron' is unknown", "'single-neuron-target'"]),
        (("check", f"{NAME}/theorem-9"), ["'theorem-9' is unknown"]),
        (("check",), ["NAME"]),
        (("check", f"{NAME}/"), ["ends with a slash", f"give '{NAME}' for all"]),
        (("paper", "run"), ["NAME is missing"]),
        (("paper", "run", f"{NAME}/"), ["ends with a slash", f"give '{NAME}' for all"]),
        (("paper", "list", ""), ["paper='' is unknown"]),
        (("paper", "run", f"{NAME}/fig99"), ["'fig99' is unknown"]),
        (("paper", "show"), ["'show'"]),
        (("paper", "list", "lr"), ["'lr' is unknown"]),
    ],
)
def test_misuse(run, folder, arguments, words):
    done = run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("flowscape: error: ")
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err
    assert list(folder.iterdir()) == []


def test_nothing_is_computed_for_a_folder_that_exists(run, folder):
    (folder / "out" / "fig4").mkdir(parents=True)
    done = run("paper", "run", f"{NAME}/fig4", "--output", "out")
    assert done.code == 2
    assert "exists" in done.err
    assert list((folder / "out" / "fig4").iterdir()) == []


def interrupted(*, n_threads=None):
    raise KeyboardInterrupt


def test_an_interrupt_says_what_is_kept(run, folder, monkeypatch):
    exhibits = paper(NAME).exhibits[:3]
    monkeypatch.setitem(vars(paper(NAME)), "exhibits", exhibits)

    def compute(*, n_threads=None):
        return Numbers({"a": np.zeros(2)}, [])

    for one, of in zip(exhibits, (compute, compute, interrupted), strict=True):
        monkeypatch.setitem(vars(one), "compute", of)
    done = run("paper", "run", NAME, "--no-figures", "--output", "out")
    kept = [f"out/{one.name}" for one in exhibits[:2]]
    assert done.code == 130
    assert done.err == (
        f"flowscape: error: interrupted; finished and kept: {kept[0]}/, {kept[1]}/; run the other "
        "exhibits by name\n"
    )
    assert sorted(str(p.relative_to(folder)) for p in folder.glob("out/*")) == sorted(kept)


def test_an_interrupt_of_the_first_exhibit_leaves_nothing(run, folder, monkeypatch):
    monkeypatch.setitem(vars(paper(NAME).exhibit("fig4")), "compute", interrupted)
    done = run("paper", "run", f"{NAME}/fig4")
    assert (done.code, done.err) == (130, "flowscape: error: interrupted; nothing was written\n")
    assert list(folder.iterdir()) == []
