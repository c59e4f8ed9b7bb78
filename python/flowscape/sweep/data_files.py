"""Samples and parameter vectors from CSV and NPZ files."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flowscape.errors import ProblemError, describe, finite_array, nearest
from flowscape.problem import Samples

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Columns:
    """The numbers of a CSV file.

    Attributes
    ----------
    values : (rows, columns) ndarray
    names : tuple of str
        From the header line; empty when the file has none.
    source : str
        Name of the file, for messages.
    """

    values: Floats
    names: tuple[str, ...]
    source: str

    def column(self, name: str) -> int:
        """Return the position of the column `name`, or of the number `name` counted from 1.

        Raises
        ------
        ProblemError
            If there is no such column.
        """
        if name in self.names:
            return self.names.index(name)
        count = self.values.shape[1]
        if name.isdigit() and 1 <= int(name) <= count:
            return int(name) - 1
        known = f"its columns are {', '.join(self.names)}" if self.names else "it has no header"
        raise ProblemError(
            f"{self.source}: no column {name!r}{nearest(name, self.names)}; {known}; "
            f"name a column or count from 1 to {count}"
        )


def read_csv(path: Path) -> Columns:
    """Read a table of finite numbers, comma separated, with or without a header line.

    The first line is a header when none of its cells is a number. Empty lines and lines that
    start with # are skipped.

    Raises
    ------
    ProblemError
        If the file cannot be read, holds no row, or a cell is not a finite number; the message
        names file, line and column.
    """
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    width = 0
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        for cells in reader:
            line = reader.line_num
            if not "".join(cells).strip() or cells[0].lstrip().startswith("#"):
                continue
            if not width:
                width = len(cells)
                if not any(_is_number(cell) for cell in cells):
                    names = _header(cells, path, line)
                    continue
            rows.append(_row(cells, width, names, path, line))
    except csv.Error as error:
        raise ProblemError(
            f"{path}, line {reader.line_num}: not a CSV line ({error}); check the quotes"
        ) from None
    if not rows:
        raise ProblemError(f"{path}: holds no row of numbers; give at least one sample")
    return Columns(np.array(rows), names, str(path))


def read_npz(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, Floats]:
    """Read named arrays of finite numbers from an NPZ file; pickled objects are refused.

    Raises
    ------
    ProblemError
        If the file cannot be read, an array is missing or holds something else than finite
        numbers.
    """
    arrays: dict[str, Floats] = {}
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            present = list(getattr(archive, "files", []))
            for name in (*required, *optional):
                if name in present:
                    arrays[name] = archive[name]
                elif name in required:
                    raise ProblemError(
                        f"{path}: has no array {name!r}; it holds {', '.join(present) or 'none'}"
                    )
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProblemError(f"{path}: cannot be read ({reason}); check the path") from None
    except (ProblemError, KeyboardInterrupt):
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise ProblemError(
            f"{path}: not an NPZ file of plain numbers ({error}); write it with numpy.savez"
        ) from None
    return {name: finite_array(f"{path}: {name}", array) for name, array in arrays.items()}


@dataclass(frozen=True, eq=False)
class DataFile:
    """Samples read from a file.

    Attributes
    ----------
    x : (N, inputs) ndarray
    y : (N,) or (N, outputs) ndarray, or None
        None when the study names no target column: the teacher then gives the targets.
    weights : (N,) ndarray or None
    source : str
        Name of the file they came from.
    """

    x: Floats
    y: Floats | None
    weights: Floats | None
    source: str

    def __len__(self) -> int:
        return len(self.x)

    def save(self, path: Path) -> None:
        """Write the samples as the NPZ file that `read_samples` reads."""
        arrays = {"x": self.x, "y": self.y, "weights": self.weights}
        given = {name: array for name, array in arrays.items() if array is not None}
        np.savez(path, **given)  # type: ignore[arg-type]  # the stub sees a name `allow_pickle`


def read_samples(
    path: Path,
    *,
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    weights: str | None = None,
) -> DataFile:
    """Read samples from a CSV file (columns chosen by name or number) or an NPZ file.

    Parameters
    ----------
    path : Path
        `.npz` files hold arrays x, optionally y and weights; anything else is read as CSV.
    inputs, targets : sequence of str
        Columns of a CSV file. Without `inputs`: all columns that are not asked for otherwise.
    weights : str, optional
        Column of the sample weights.

    Raises
    ------
    ProblemError
        As `read_csv` and `read_npz`; also where shapes disagree or a weight is negative.
    """
    if path.suffix == ".npz":
        arrays = read_npz(path, ["x"], ["y", "weights"])
        x, y, w = arrays["x"], arrays.get("y"), arrays.get("weights")
    else:
        table = read_csv(path)
        target_columns = [table.column(name) for name in targets]
        weight_column = None if weights is None else table.column(weights)
        taken = {*target_columns, weight_column}
        input_columns = [table.column(name) for name in inputs] or [
            i for i in range(table.values.shape[1]) if i not in taken
        ]
        x = table.values[:, input_columns]
        y = table.values[:, target_columns] if targets else None
        w = None if weight_column is None else table.values[:, weight_column]
    try:
        samples = Samples(x, np.zeros(np.shape(x)[:1]) if y is None else y, w)
    except ValueError as error:
        raise ProblemError(f"{path}: {error}") from None
    return DataFile(samples.x, None if y is None else samples.y, samples.weights, str(path))


def read_parameters(path: Path, n_params: int) -> Floats:
    """Read parameter vectors, one per row, from CSV or from the array `theta` of an NPZ file.

    Returns
    -------
    (B, n_params) ndarray

    Raises
    ------
    ProblemError
        As `read_csv` and `read_npz`; also for rows of another length than `n_params`.
    """
    if path.suffix == ".npz":
        theta = np.atleast_2d(read_npz(path, ["theta"])["theta"])
    else:
        theta = read_csv(path).values
    if theta.ndim != 2 or theta.shape[1] != n_params or len(theta) == 0:
        raise ProblemError(
            f"{path}: shape {theta.shape} must be (B, {n_params}); "
            f"the network has {n_params} parameters, give one network per row"
        )
    return np.ascontiguousarray(theta)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise ProblemError(
            f"{path}, line {line}, byte {column}: not UTF-8 text; save the table as UTF-8 CSV"
        ) from None


def _header(cells: list[str], path: Path, line: int) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    for position, name in enumerate(names, start=1):
        if not name or name in names[: position - 1]:
            problem = f"the name {name!r} stands twice" if name else "a name is empty"
            raise ProblemError(
                f"{path}, line {line}, column {position}: {problem}; name every column once"
            )
    return names


def _row(
    cells: list[str], width: int, names: tuple[str, ...], path: Path, line: int
) -> list[float]:
    if len(cells) != width:
        raise ProblemError(
            f"{path}, line {line}, column {min(len(cells), width) + 1}: "
            f"{len(cells)} cells where the first line has {width}; give every row the same columns"
        )
    numbers = []
    for position, cell in enumerate(cells, start=1):
        where = f"{position} ({names[position - 1]})" if names else f"{position}"
        try:
            number = float(cell)
        except ValueError:
            raise ProblemError(
                f"{path}, line {line}, column {where}: {describe(cell.strip())} is not a number; "
                "use a point as decimal mark and a comma between cells"
            ) from None
        if not math.isfinite(number):
            raise ProblemError(
                f"{path}, line {line}, column {where}: {describe(cell.strip())} is not finite; "
                "remove the row or give a finite number"
            )
        numbers.append(number)
    return numbers


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
