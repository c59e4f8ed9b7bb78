"""Imports and includes point downwards, nowhere in a circle."""

import ast
import re
from pathlib import Path

import pytest

import flowscape

PACKAGE = Path(flowscape.objective.__file__).parent
CPP = Path(__file__).parents[2] / "cpp"

# Bottom up; what stands on one line may import one another, but not in a circle.
LAYERS = [
    {"_core"},
    {"brief", "errors", "status", "threads"},
    {"problem", "branches", "separation"},
    {"objective"},
    {"runs"},
    {"flow", "limits", "descent", "extended", "polish", "zero_evidence"},
    {"critical", "basins"},
    {"classify"},
    {"sweep"},
    {"report"},
    {"papers"},
    {"cli", "__main__"},
]
HELPERS = {"testing"}  # imports what it likes, imported by nothing
CPP_LAYERS = [
    {"simd", "parallel", "random", "linalg"},
    {"activation"},
    {"objective"},
    {"runs"},
    {"flow", "descent", "extended", "polish"},
    {"bindings"},
]


def rank(layers, name):
    for place, layer in enumerate(layers):
        if name in layer:
            return place
    pytest.fail(f"{name} is in no layer: add it to the list")


def modules(package):
    """Dotted names and paths of all modules below `package`."""
    found = {}
    for path in package.rglob("*.py"):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """Modules of the package that this one imports, anywhere in its text."""
    root = name.split(".")[0]
    is_package = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == root)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")[: None if is_package else -1]
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            if base.split(".")[0] == root:
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield inner if inner in known else base


def violations(package, layers, helpers=frozenset()):
    """Sentences: what imports upwards, from a helper, or from the package's front door."""
    known = modules(package)
    for name, path in known.items():
        if name == package.name:
            continue  # the front door may import everything
        own = name.split(".")[1]
        for target in imports(name, path, known):
            if target == package.name:
                yield f"{name} imports the whole package"
                continue
            other = target.split(".")[1]
            if other in helpers and own not in helpers:
                yield f"{name} imports the test helper {target}"
            elif own not in helpers and rank(layers, other) > rank(layers, own):
                yield f"{name} imports {target}, a layer above it"


def circles(edges):
    """One circle for every module that can be reached from itself."""
    for start in edges:
        paths, seen = [[start]], set()
        while paths:
            path = paths.pop()
            for target in edges.get(path[-1], ()):
                if target == start:
                    yield " -> ".join([*path, start])
                    paths = []
                    break
                if target not in seen:
                    seen.add(target)
                    paths.append([*path, target])


def import_edges(package):
    known = modules(package)
    return {
        name: {t for t in imports(name, path, known) if t != name} for name, path in known.items()
    }


def test_python_imports_point_downwards():
    assert list(violations(PACKAGE, LAYERS, HELPERS)) == []


def test_python_imports_have_no_circle():
    edges = import_edges(PACKAGE)
    edges.pop("flowscape")
    assert list(circles(edges)) == []


LAYERS_OF_TREE = [{"low"}, {"high"}]
CLEAN = {
    "__init__.py": "from tree.high import b",
    "low/__init__.py": "from tree.low.a import x",
    "low/a.py": "import numpy\nx = 1",
    "high/__init__.py": "",
    "high/b.py": "from ..low import a\nfrom . import c",
    "high/c.py": "from tree.low.a import x",
}


def write(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tree"


def test_a_clean_tree_passes(tmp_path):
    tree = write(tmp_path, CLEAN)
    assert list(violations(tree, LAYERS_OF_TREE)) == []
    assert list(circles(import_edges(tree))) == []
    assert import_edges(tree)["tree.high.b"] == {"tree.low.a", "tree.high.c"}


@pytest.mark.parametrize(
    "upward",
    [
        "from tree.high import b",
        "from tree.high.b import y",
        "import tree.high.b",
        "from ..high import b",
        "def f():\n    from tree.high.b import y",
        "if False:\n    import tree.high",
        "from tree import high",
        "from tree import b",
        "import tree",
    ],
)
def test_an_upward_import_is_found(tmp_path, upward):
    tree = write(tmp_path, {**CLEAN, "low/a.py": upward})
    assert len(list(violations(tree, LAYERS_OF_TREE))) == 1


@pytest.mark.parametrize("closing", ["from tree.high import b", "def f():\n    from . import b"])
def test_a_circle_is_found(tmp_path, closing):
    tree = write(tmp_path, {**CLEAN, "high/c.py": closing})
    assert "tree.high.b -> tree.high.c -> tree.high.b" in set(circles(import_edges(tree)))


def test_an_imported_helper_is_found(tmp_path):
    tree = write(tmp_path, {**CLEAN, "help/__init__.py": "", "low/a.py": "from tree import help"})
    assert len(list(violations(tree, LAYERS_OF_TREE, {"help"}))) == 1


# --- C++ --------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def cpp_files(root):
    return [
        p for folder in ("include", "src", "bindings") for p in (root / folder).rglob("*.[ch]pp")
    ]


def cpp_layer(root, path):
    parts = path.relative_to(root).with_suffix("").parts
    return {"include": parts[2:3], "src": parts[1:2], "bindings": ("bindings",)}[parts[0]][0]


def cpp_includes(root):
    """Triples (file, its layer, layer of a header it includes); neighbours share a layer."""
    for path in cpp_files(root):
        own = cpp_layer(root, path)
        for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if not (path.parent / target).is_file():
                yield path, own, Path(target).with_suffix("").parts[1]


def cpp_violations(root):
    for path, own, other in cpp_includes(root):
        if rank(CPP_LAYERS, other) > rank(CPP_LAYERS, own):
            yield f"{path.relative_to(root)} includes {other}, a layer above it"


def cpp_edges(root):
    """Include graph of the layers themselves."""
    edges = {}
    for _, own, other in cpp_includes(root):
        if other != own:
            edges.setdefault(own, set()).add(other)
    return edges


def test_cpp_includes_point_downwards():
    assert len(cpp_files(CPP)) > 30
    assert list(cpp_violations(CPP)) == []
    assert list(circles(cpp_edges(CPP))) == []


def test_an_upward_include_is_found(tmp_path):
    header = tmp_path / "include/flowscape/simd/vector.hpp"
    source = tmp_path / "src/polish/polish.cpp"
    for path in (header, source):
        path.parent.mkdir(parents=True)
    source.write_text('#include "flowscape/objective/objective.hpp"\n')
    header.write_text("#include <cmath>\n")
    assert list(cpp_violations(tmp_path)) == []
    header.write_text('  #include "flowscape/activation/activation.hpp"\n')
    assert len(list(cpp_violations(tmp_path))) == 1


def test_threads_are_started_in_two_headers():
    """One for teams and helpers, one for calls that listen for Ctrl-C."""
    pattern = re.compile(r"#\s*include <(thread|future)>|omp\.h|#\s*pragma\s+omp|pthread")
    users = [p.name for p in cpp_files(CPP) if pattern.search(p.read_text(encoding="utf-8"))]
    assert sorted(users) == ["interruptible.hpp", "parallel.hpp"]
