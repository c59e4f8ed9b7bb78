"""Result folders: written whole or not at all, read back with every check."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, fields
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from flowscape.errors import StoreError, check_path
from flowscape.sweep.branch_rows import BranchRow
from flowscape.sweep.columns import fault
from flowscape.sweep.results import RecoverResult
from flowscape.sweep.study import DATA_COPY, Study

SCHEMA = 1
MANIFEST = "manifest.json"


def check_target(path: Path, *, force: bool = False) -> None:
    """Check that a result folder can be written, before the work is done.

    Raises
    ------
    StoreError
        If `path` exists (with `force`: if it is not a result folder), or its parent cannot be
        made or written.
    """
    if os.path.lexists(path) and not force:
        raise StoreError(
            f"output={str(path)!r} exists; choose another --output, or replace it with --force"
        )
    if os.path.lexists(path) and not os.path.isfile(path / MANIFEST):
        raise StoreError(
            f"output={str(path)!r} is not a result folder, --force replaces only those; "
            "choose another --output"
        )
    parent = path.absolute().parent
    missing = [p for p in (parent, *parent.parents) if not os.path.lexists(p)]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        Path(mkdtemp(prefix=f".{path.name}.", dir=parent)).rmdir()
    except OSError as error:
        raise StoreError(
            f"output={str(path)!r} cannot be written ({error.strerror}); choose another --output"
        ) from None
    finally:  # a check leaves no folders behind
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def new_folder(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder next to `path` that becomes `path` when the block ends well.

    After an exception, Ctrl-C included, nothing is left and an existing folder is untouched.

    Raises
    ------
    StoreError
        As `check_target`.
    """
    path = Path(path).absolute()
    check_target(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield draft
        draft.chmod(0o755)
        if path.exists():
            old = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.rename(old / "old")
            draft.rename(path)
            shutil.rmtree(old)
        else:
            draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_result(result: RecoverResult, folder: Path) -> None:
    """Write manifest, study, data, runs and samples into a folder: all that `load` needs."""
    study = result.study
    (folder / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    if study.data is not None:
        study.data.save(folder / DATA_COPY)
    runs = dict(result.runs)
    np.savez(folder / "runs.npz", **runs)  # type: ignore[arg-type]  # as in `DataFile.save`
    (folder / "samples.csv").write_text(samples_csv(study))
    manifest = {
        "schema": SCHEMA,
        "kind": "recover",
        "study": study.name,
        "note": result.note,
        **result.manifest,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def load(path: str | Path) -> RecoverResult:
    """Read a result folder.

    Raises
    ------
    StoreError
        If it is not a result folder, has another schema version, or its files do not belong
        together.
    """
    path = check_path("path", path, "give the folder that `recover` wrote")
    manifest = _manifest(path)
    try:
        study = Study.from_toml(path / "study.toml")
        with (path / "runs.npz").open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            runs = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path}: damaged result folder ({error}); run the study again") from None
    wrong = fault(study, runs)
    if wrong:
        raise StoreError(f"{path}: {wrong}; run the study again")
    result = RecoverResult(study=study, runs=runs, manifest=manifest)
    highest = runs["branch"].max(initial=-1)
    if highest >= len(result.branches) or runs["branch"].min(initial=-1) < -1:
        raise StoreError(
            f"{path}: runs.npz has branches that the study's {len(result.branches)} do not "
            "include; run the study again"
        )
    return result


def branches_csv(rows: Iterable[BranchRow]) -> str:
    """Return the branch table as CSV."""
    return _csv([field.name for field in fields(BranchRow)], map(astuple, rows))


def outcomes_csv(result: RecoverResult) -> str:
    """Return the outcomes per size, sample set and scale as CSV."""
    keys = [verdict.key for verdict in result.verdicts]
    header = ["size", "sample_set", "scale", "runs", *keys]
    rows = (
        (
            *(o.size, o.sample_set, o.scale, o.runs),
            *o.fractions,
            *(o.unresolved, o.median_error, o.worst_error),
        )
        for o in result.outcomes()
    )
    return _csv([*header, "unresolved_runs", "median_error", "worst_error"], rows)


def samples_csv(study: Study) -> str:
    """Return every sample set as CSV: size, set, number, inputs, targets, weight."""
    inputs = [f"x{i + 1}" for i in range(study.net.inputs)]
    outputs = [f"y{i + 1}" for i in range(study.net.outputs)]
    rows = []
    for size in study.sizes:
        for sample_set in study.sample_sets:
            samples = study.samples(size, sample_set)
            y = samples.y.reshape(size, -1)
            weights = np.ones(size) if samples.weights is None else samples.weights
            rows += [
                (size, sample_set.name, i, *samples.x[i].tolist(), *y[i].tolist(), weights[i])
                for i in range(size)
            ]
    return _csv(["size", "sample_set", "sample", *inputs, *outputs, "weight"], rows)


def _csv(header: list[str], rows: Iterable[tuple[Any, ...]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"{path}: not a result folder ({MANIFEST}: {error.strerror}); give a folder that "
            "`flowscape recover` wrote"
        ) from None
    except ValueError as error:
        raise StoreError(f"{path}/{MANIFEST}: damaged ({error}); run the study again") from None
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise StoreError(
            f"{path}: schema {schema!r}, this version of Flowscape reads {SCHEMA}; "
            "run the study again, or use the version named in the manifest"
        )
    return manifest
