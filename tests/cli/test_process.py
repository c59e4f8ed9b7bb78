"""The command as a process of its own: streams, exit codes, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "flowscape"]


def flowscape(*arguments, cwd):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_json_is_all_that_stands_on_stdout(folder, study):
    done = flowscape("recover", study, "--no-figures", "--json", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["study"] == "study"


def test_misuse_is_one_line_and_code_2(folder):
    done = flowscape("recover", "no-such-study", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("flowscape: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["-m", "flowscape"]])
def test_a_level_that_was_not_built_is_one_line(folder, command):
    program = command or [str(folder / "flowscape")]
    (folder / "flowscape").write_text("from flowscape.cli import main\n")
    done = subprocess.run(
        [sys.executable, *program, "info"],
        env=os.environ | {"FLOWSCAPE_ISA": "v9"},
        capture_output=True,
        text=True,
        cwd=folder.parent,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("flowscape: error: FLOWSCAPE_ISA='v9' was not built")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(folder):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "info"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("flowscape: error: output: No space left on device")
    assert done.stderr.count("\n") == 1


def test_an_output_without_all_letters_gets_question_marks(folder, study):
    done = subprocess.run(
        [*COMMAND, "recover", study, "--no-figures"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"?" in done.stdout


def test_a_reader_that_leaves_is_no_error(folder):
    reader = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    reader.wait()
    done = subprocess.run(
        [*COMMAND, "info"], stdout=reader.stdin, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    reader.stdin.close()
    assert done.returncode == 0
    assert done.stderr == ""


DRIVER = """
import sys
import flowscape.sweep
from flowscape.cli import main
print("ready", flush=True)
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_stops_a_study_and_leaves_nothing(folder, content, write_study):
    content["samples"]["sizes"] = [2, 3, 4, 5, 6, 7, 8]
    content["init"] = {"scales": [1e-8], "seeds": 100_000}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "recover", write_study(content)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(1.0)
    if process.poll() is not None:
        pytest.fail(f"the study ended by itself: {process.communicate()}")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    assert err == b"flowscape: error: interrupted; nothing was written\n"
    assert [path.name for path in folder.rglob("*")] == ["study.toml"]
