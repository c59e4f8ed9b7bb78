"""Figures: what they show, where they are written, what they need."""

import subprocess
import sys

import numpy as np
import pytest

from flowscape.report import (
    draw,
    figures,
    fractions,
    geometry,
    pair_space,
    style,
    waterfall,
    write_report,
)
from flowscape.sweep import Study, load
from flowscape.sweep.store import new_folder, write_result

pytest.importorskip("matplotlib")


@pytest.fixture
def ended(study, make_result):
    """Return a result whose runs ended exactly on Q1, Q2 and beside them, signs mixed."""
    result = make_result(study)
    rng = np.random.default_rng(0)
    theta = result.runs["theta"]
    for i in range(len(theta)):
        match result.runs["branch"][i]:
            case 0:
                theta[i] = (0.7, 1, 1, 0.3, 1, 1)
            case 1:
                theta[i] = (1, 1, 1, 0, *rng.normal(size=2))
        neurons = theta[i].reshape(2, 3)[:: rng.choice((1, -1))]
        theta[i] = (neurons * rng.choice((1.0, -1.0), size=(2, 1))).ravel()
    return result


def test_coordinates_put_q1_on_its_line_and_q2_on_its_plane(ended):
    branch = ended.runs["branch"]
    view = geometry.pair_view(ended, np.ones(len(branch), bool))
    np.testing.assert_allclose(view.target, [1, 1, 1], rtol=1e-12)
    line = view.points[branch == 0]
    np.testing.assert_allclose(line, np.tile([1, 1, 0.3], (len(line), 1)), rtol=1e-12)
    np.testing.assert_array_equal(view.points[branch == 1][:, 2], 0)
    assert (view.points[:, 0] + view.points[:, 1] >= 0).all()


def test_the_silent_line_stands_at_the_zero_of_the_activation(content, write_study, make_result):
    content["network"]["activation"] = [{"name": "tanh"}, {"name": "gauss", "c": 0.3}]
    result = make_result(Study.from_toml(write_study(content)))
    view = geometry.pair_view(result, result.select(size=6))
    assert not view.folded
    (zero,) = view.zeros
    assert zero == pytest.approx(-0.2838, abs=1e-3)
    assert np.tanh(zero) + 0.3 * np.exp(-(zero**2)) == pytest.approx(0, abs=1e-14)
    crosses = [line for line in geometry.plane(result, result.select(size=6)).lines]
    assert any(np.allclose(line.get_xydata(), [[0, zero]]) for line in crosses)


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        ([(-1, -1), (1, -1), (1, 1), (-1, 1)], 2.0),
        ([(1, 1), (2, 1), (2, 2), (1, 2)], 1.0),
        ([(-2, -2), (-1, -2), (-1, -1), (-2, -1)], 0.0),
        ([(-1, -1), (3, -1), (3, 3), (-1, 3)], 14.0),
    ],
)
def test_the_half_plane_is_cut_exactly(corners, area):
    kept = pair_space._half_plane(corners, (1.0, 1.0))
    shoelace = sum(
        a[0] * b[1] - b[0] * a[1] for a, b in zip(kept, kept[1:] + kept[:1], strict=True)
    )
    assert shoelace / 2 == pytest.approx(area)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1"),
        (1e-8, "$10^{-8}$"),
        (2e-10, r"$2 \cdot 10^{-10}$"),
        (1e5, "$10^{5}$"),
    ],
)
def test_numbers_in_titles(value, text):
    assert style.power(value) == text


def test_bars_are_the_fractions(result):
    ax = fractions.stacked(result, [0], 1.0)
    heights = np.array([[bar.get_height() for bar in c] for c in ax.containers])
    np.testing.assert_allclose(heights.sum(axis=0), 1)
    outcomes = [o for o in result.outcomes() if o.sample_set == "linspace" and o.scale == 1.0]
    seen = [i for i in range(len(result.verdicts)) if (result.verdict == i).any()]
    expected = np.array([[o.fractions[i] for o in outcomes] for i in seen])
    np.testing.assert_allclose(heights, expected)


def test_thresholds_stand_left_of_their_sample_size(make_result):
    result = make_result(Study.packaged("two-tanh-neurons").with_seeds(2))
    ax = fractions.thresholds(result, fractions.stacked(result, [0], 1.0))
    places = sorted(line.get_xdata()[0] for line in ax.lines)
    assert places == [0.5, 1.5, 2.5]  # before n = 3, 4, 5, which are bars 1, 2, 3
    assert [text.get_text() for text in ax.texts] == ["opt.", "$Q^{2}$", "$Q^{1}$, $Q^{1c}$"]


def test_the_waterfall_is_sorted_and_complete(result):
    ax = waterfall.waterfall(result, "generalization_error", 1.0)
    assert [line.get_label() for line in ax.lines] == ["$n = 3$", "$n = 6$"]
    for n, line in zip((3, 6), ax.lines, strict=True):
        values = result.runs["generalization_error"][result.select(size=n, scale=1.0)]
        np.testing.assert_allclose(line.get_ydata(), np.maximum(np.sort(values), 1e-17))
        assert line.get_xdata()[-1] == 1.0


def test_runs_that_are_not_finite_leave_a_gap_at_the_end(result):
    result.runs["loss"][result.select(size=3, scale=1.0)] = np.inf
    ax = waterfall.waterfall(result, "loss", 1.0)
    assert len(ax.lines[0].get_xdata()) == 0
    assert len(ax.lines[1].get_xdata()) > 0


def test_plots_draw_into_the_given_axes(ended):
    fig = figures.style.new_figure(6, 3)
    axes = fig.subplots(1, 3)
    rows = ended.select(size=6)
    assert geometry.plane(ended, rows, axes[0]) is axes[0]
    assert geometry.distances(ended, axes[1]) is axes[1]
    assert waterfall.waterfall(ended, "loss", 1.0, axes[2]) is axes[2]
    space = fig.add_subplot(projection="3d")
    assert geometry.space(ended, rows, space) is space


@pytest.mark.parametrize("name", ["geometry", "fractions", "waterfall"])
def test_every_figure_is_drawn(ended, name, tmp_path):
    figures.save(ended, name, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_network_that_is_no_pair_gets_distances(content, write_study, make_result):
    content["network"]["width"] = 3
    study = Study.from_toml(write_study(content))
    result = make_result(study)
    assert not geometry.applies(result)
    ax = draw(result, "geometry").axes[0]
    assert ax.get_xlabel() == "distance to the nearest branch"
    assert sum(len(line.get_xdata()) for line in ax.lines) == study.runs


@pytest.mark.parametrize("activation", ["sigmoid", "softplus", "silu", "exp"])
def test_pairs_whose_branches_have_other_shapes_get_distances(
    activation, content, write_study, make_result
):
    """Flips of signs add something, or a e^b is one parameter: no line, plane and silent line."""
    content["network"]["activation"] = activation
    result = make_result(Study.from_toml(write_study(content)))
    assert {row.r for row in result.branches} == {1, 2}
    assert not geometry.applies(result)
    assert draw(result, "geometry").axes[0].get_xlabel() == "distance to the nearest branch"


def test_there_is_no_geometry_without_distances_to_branches(result):
    assert "geometry" in figures.names(result)
    result.runs["branch_distance"][:] = np.inf
    assert "geometry" not in figures.names(result)


def test_a_folder_alone_gives_all_files(ended, tmp_path):
    with new_folder(tmp_path / "out") as draft:
        write_result(ended, draft)
    files = write_report(load(tmp_path / "out"), tmp_path / "out")
    assert files.skipped == ()
    assert len(files.figures) == 3
    for name in (*files.tables, *files.figures):
        assert (tmp_path / "out" / name).is_file()
    assert not list((tmp_path / "out").rglob(".*"))


def test_without_matplotlib_the_figures_are_named_as_skipped(ended, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "available", lambda: False)
    files = write_report(ended, tmp_path)
    assert files.skipped == ("geometry", "fractions", "waterfall")
    assert files.figures == ()
    assert (tmp_path / "summary.txt").is_file()


def test_matplotlib_and_tqdm_are_not_imported_before_they_are_needed():
    script = (
        "import sys, flowscape.cli, flowscape.sweep, flowscape.report\n"
        "bad = [m for m in ('matplotlib', 'tqdm', 'scipy') if m in sys.modules]\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
