"""The examples in README.md and docs/tour.md run, and print what they show."""

import contextlib
import importlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

import flowscape
from flowscape.cli import main
from flowscape.cli.main import _COMMANDS, _parser
from flowscape.errors import OptionError
from flowscape.sweep import Study

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/tour.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILES = ("toml", "csv")  # written under the name in their first line
SHOWN = "text"  # right after an example: what it prints


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text):
    """Return the fenced blocks of a page, without the set-up commands (language bash)."""
    found = [
        Block(match[1], match[2], text[: match.start()].count("\n") + 1)
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if block.language != "bash"]


def file_name(block):
    name = re.match(r"# (\S+)\n", block.text)
    assert name, f"line {block.line}: the first line must name the file, as a comment"
    return name[1]


def run_commands(text):
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "flowscape"
        assert main(arguments) == 0


def printed(block, names):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        if block.language == "python":
            exec(compile(block.text, f"line {block.line}", "exec"), names)
        else:
            run_commands(block.text)
    assert errors.getvalue() == ""
    return out.getvalue()


def matches(shown, actual):
    """Compare line by line; `...` stands for anything, several lines included."""
    parts = (re.escape(part) for part in shown.strip().split("..."))
    lines = (line.rstrip() for line in actual.strip().splitlines())
    return re.fullmatch(".*".join(parts), "\n".join(lines), re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_run_and_print_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, output, compared = {}, None, 0
    for block in blocks(page(name)):
        if block.language in FILES:
            Path(file_name(block)).write_text(block.text, encoding="utf-8")
        elif block.language in ("python", "sh"):
            output = printed(block, names)
        elif block.language == SHOWN:
            assert output is not None, f"{name}:{block.line}: output of nothing"
            assert matches(block.text, output), f"{name}:{block.line}: it prints\n{output}"
            output, compared = None, compared + 1
        else:
            pytest.fail(f"{name}:{block.line}: unknown kind of block {block.language!r}")
    assert compared >= 3


def test_a_wrong_output_is_noticed():
    assert matches("a ... c\nd", "a b c  \nd\n")
    assert not matches("a ... c\nd", "a b c\ne")
    assert not matches("a", "a\nb")


def set_up(section):
    """Return the command block that starts a section of the README."""
    start = re.search(rf"^## {section}\n(.*?)^```bash\n(.*?)^```$", page("README.md"), re.M | re.S)
    assert start, f"no command block in section {section}"
    assert "```" not in start[1]
    assert len(start[1].split()) < 20, "the section starts with its command block"
    return start[2].replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("section", ["Run", "Test"])
def test_set_up_starts_from_nothing_and_works_in_the_checkout(section):
    lines = set_up(section)
    assert "python3 -m venv .venv" in lines
    extra = re.search(r'pip install "\.\[(\w+)\]"', "\n".join(lines))[1]
    assert re.search(rf"^{extra} = \[", page("pyproject.toml"), re.M)


def test_the_run_command_names_a_packaged_study():
    command = next(line for line in set_up("Run") if "flowscape recover" in line)
    study = Study.packaged(command.split()[-1])
    assert f"{study.runs:,} flows" in page("README.md")


def documents():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in pages)


@pytest.mark.parametrize("name", documents())
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page(name)):
        if "://" not in target:
            path = (ROOT / name).parent / target
            assert path.exists(), f"{name}: {target}"


@pytest.mark.parametrize("name", documents())
def test_files_and_tests_that_are_named_exist(name):
    named = re.findall(
        r"`((?:tests|python|cpp|docs|bench)/[\w./-]+?\.\w+)(?:::(\w+))?`", page(name)
    )
    for path, test in named:
        assert (ROOT / path).is_file(), f"{name}: {path}"
        if test:
            assert f"def {test}(" in page(path), f"{name}: {path}::{test}"


COMMAND = re.compile(r"`flowscape ([^`\n]+)`|^(?:\.venv/bin/)?flowscape (.+)$", re.MULTILINE)
NO_COMMAND = re.compile(r"^\.\.\.|^[\w-]+ +\.\.\.$")  # printed by `flowscape info`


def quoted_commands(text):
    """Return the arguments of every command line in a page."""
    found = (one or two for one, two in COMMAND.findall(text))
    return [line.partition("  #")[0] for line in found if not NO_COMMAND.match(line)]


@pytest.mark.parametrize("name", documents())
def test_quoted_commands_are_understood(name):
    for line in quoted_commands(page(name)):
        command, *rest = shlex.split(line)
        if rest:
            _parser().parse_args([command, *rest])
        else:  # `flowscape recover` means the command as such
            assert command in _COMMANDS, f"{name}: {line}"


def test_a_wrong_command_is_noticed():
    text = "`flowscape info`\n```\nflowscape paper run a/b   # one\nflowscape ...\n```"
    assert quoted_commands(text) == ["info", "paper run a/b "]
    with pytest.raises(OptionError):
        _parser().parse_args(["paper", "walk", "a/b"])


def named(text):
    """Return names of the package in a page: after ``fs.``, and dotted after ``flowscape.``."""
    code = re.findall(r"```python\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    names = [re.findall(r"(?<![\w.])(?:fs|flowscape)((?:\.[A-Za-z]\w*)+)", a or b) for a, b in code]
    return {name[1:] for found in names for name in found}


def resolve(name):
    """Return what a dotted name of the package means; modules come before what they export."""
    value, path = flowscape, "flowscape"
    for part in name.split("."):
        path += f".{part}"
        try:
            value = importlib.import_module(path)
        except ImportError:
            value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", documents())
def test_names_of_the_package_exist(name):
    for one in named(page(name)) - {"toml"}:
        assert resolve(one) is not None


def test_a_name_that_is_gone_is_noticed():
    assert named("`fs.gone(1)` and\n```python\nflowscape.flow.Flow\n```") == {"gone", "flow.Flow"}
    assert resolve("descent.batch_indices")
    with pytest.raises(AttributeError):
        resolve("gone")


def test_every_page_is_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                found = (path.parent / target).resolve()
                left += found.glob("*.md") if found.is_dir() else [found]
    assert {ROOT / name for name in documents()} <= reached


def test_records_are_numbered_without_gaps():
    numbers = sorted(path.name[:4] for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == [f"{i:04d}" for i in range(1, len(numbers) + 1)]
