"""Known truths of Example 1 of the single-neuron-target paper, through the command."""

import pytest

from flowscape.cli import main
from flowscape.status import Kind
from flowscape.sweep import load

SEEDS = 40


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "out"
    options = ["--seeds", str(SEEDS), "--no-figures", "--output", str(folder)]
    assert main(["recover", "two-tanh-neurons", *options]) == 0
    return load(folder)


def kinds(result, **choice):
    chosen = result.select(**choice)
    assert chosen.sum() % SEEDS == 0
    assert chosen.any()
    return {Kind(kind) for kind in result.runs["kind"][chosen]}


def test_six_even_samples_recover_every_small_start(result):
    assert kinds(result, size=6, sample_sets=[0], scale=1e-8) == {Kind.PERFECT}


def test_six_gaussian_samples_recover_small_starts_or_stay_open(result):
    found = kinds(result, size=6, sample_sets=[1, 2, 3, 4, 5], scale=1e-8)
    assert found <= {Kind.PERFECT, Kind.UNRESOLVED}
    assert Kind.PERFECT in found


def test_two_samples_never_recover(result):
    assert Kind.PERFECT not in kinds(result, size=2)


def test_perfect_runs_have_no_error_and_others_have_one(result):
    error, kind = result.runs["generalization_error"], result.runs["kind"]
    assert error[kind == Kind.PERFECT].max() < 1e-8
    assert error[kind == Kind.IMPERFECT].min() > 1e-12  # ten error bounds, whatever they are


def test_both_branches_are_reached_with_six_samples(result):
    chosen = result.select(size=6, sample_sets=[0], scale=1e-8)
    names = {result.branches[b].name for b in result.runs["branch"][chosen] if b >= 0}
    assert names == {"Q1", "Q2"}
