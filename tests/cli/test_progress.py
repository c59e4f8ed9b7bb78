"""The progress bar: on stderr, only on a terminal, gone at the end."""

import io
import sys

import pytest

from flowscape.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_the_runs_count_up(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(" flows") as progress:
        progress.total(40)
        progress.advance(30)
        progress._bar.refresh()
    shown = sys.stderr.getvalue()
    assert " 75%" in shown
    assert "30.0/40.0" in shown
    assert shown.endswith("\r")  # the line is cleared for what comes next


def test_a_file_sees_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar(" flows") as progress:
        assert progress is None
    assert sys.stderr.getvalue() == ""


def test_the_bar_is_closed_on_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    def interrupted():
        with progress_bar(" flows") as progress:
            progress.total(4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sys.stderr.getvalue().endswith("\r")


def test_recover_on_a_terminal_keeps_stdout_clean(run, study, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = run("recover", study, "--no-figures", "--json")
    assert done.code == 0
    assert done.out.startswith("{")
    assert "flows" in done.err
