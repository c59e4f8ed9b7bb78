"""CSV and NPZ files of samples and parameters."""

import numpy as np
import pytest

from flowscape.errors import ProblemError
from flowscape.sweep.data_files import read_csv, read_npz, read_parameters, read_samples


def write(folder, text, name="points.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_header_names_the_columns(tmp_path):
    table = read_csv(write(tmp_path, "x,y\n# made by hand\n1,2\n\n 3 , 4e-1\n"))
    assert table.names == ("x", "y")
    np.testing.assert_array_equal(table.values, [[1.0, 2.0], [3.0, 0.4]])
    assert table.column("y") == 1


def test_without_header_columns_are_counted_from_one(tmp_path):
    table = read_csv(write(tmp_path, "1,2\r\n3,4\r\n"))
    assert table.names == ()
    assert table.column("2") == 1
    with pytest.raises(ProblemError, match=r"no column '3'.*no header"):
        table.column("3")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert read_csv(write(tmp_path, "\ufeffx,y\n1,2\n")).names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n3,oops\n", "line 3, column 2 (y): 'oops' is not a number"),
        ("x,y\n1,nan\n", "line 2, column 2 (y): 'nan' is not finite"),
        ("1,2\n-inf,2\n", "line 2, column 1: '-inf' is not finite"),
        ("x,y\n1\n", "line 2, column 2: 1 cells where the first line has 2"),
        ("x,y\n1,2,3\n", "line 2, column 3: 3 cells where the first line has 2"),
        ("x,y\n1,\n", "line 2, column 2 (y): '' is not a number"),
        ("x,x\n1,2\n", "line 1, column 2: the name 'x' stands twice"),
        ("x,y\n", "holds no row of numbers"),
        ("", "holds no row of numbers"),
        ('x,y\n1,"2\n', "line 2: not a CSV line"),
        (b"x,y\n1,2\n1,\xff\n", "line 3, byte 3: not UTF-8"),
    ],
)
def test_an_unreadable_csv_names_file_line_and_column(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(ProblemError) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ProblemError, match=r"gone.csv: cannot be read"):
        read_csv(tmp_path / "gone.csv")
    with pytest.raises(ProblemError, match=r"gone.npz: cannot be read"):
        read_npz(tmp_path / "gone.npz", ["x"])


def test_samples_take_the_named_columns(tmp_path):
    path = write(tmp_path, "id,y,weight,x\n1,10,0.5,2\n2,20,1.5,4\n")
    data = read_samples(path, inputs=["x"], targets=["y"], weights="weight")
    np.testing.assert_array_equal(data.x, [[2.0], [4.0]])
    np.testing.assert_array_equal(data.y, [10.0, 20.0])
    np.testing.assert_array_equal(data.weights, [0.5, 1.5])


def test_without_named_inputs_all_other_columns_are_inputs(tmp_path):
    data = read_samples(write(tmp_path, "u,y,v\n1,2,3\n"), targets=["y"])
    np.testing.assert_array_equal(data.x, [[1.0, 3.0]])


def test_an_unknown_column_gets_the_nearest_name(tmp_path):
    path = write(tmp_path, "input,target\n1,2\n")
    with pytest.raises(ProblemError, match=r"no column 'targt', did you mean 'target'"):
        read_samples(path, targets=["targt"])


def test_negative_weights_are_refused_with_the_file(tmp_path):
    path = write(tmp_path, "x,y,w\n1,2,-1\n")
    with pytest.raises(ProblemError, match=r"points.csv: weights\[0\]=-1.0 must be >= 0"):
        read_samples(path, inputs=["x"], targets=["y"], weights="w")


def test_npz_round_trip(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, x=np.arange(3), y=np.ones((3, 2)))
    data = read_samples(path)
    data.save(tmp_path / "out.npz")
    again = read_samples(tmp_path / "out.npz")
    np.testing.assert_array_equal(again.x, [[0.0], [1.0], [2.0]])
    np.testing.assert_array_equal(again.y, np.ones((3, 2)))
    assert again.weights is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": [1.0]}, "has no array 'x'; it holds y"),
        ({"x": [1.0, np.nan]}, "x[1]=nan must be finite"),
        ({"x": ["a"]}, "x="),
        ({"x": np.array([None])}, "not an NPZ file of plain numbers"),
        ({"x": [1.0, 2.0], "y": [1.0]}, "must have shape (2,)"),
        ({"x": np.empty((0, 1))}, "at least one sample"),
        ({"x": 1.0}, "x has shape ()"),
    ],
)
def test_a_wrong_npz_names_file_and_array(tmp_path, arrays, words):
    path = tmp_path / "in.npz"
    np.savez(path, **arrays)
    with pytest.raises(ProblemError) as caught:
        read_samples(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"not a zip", b"", b"PK\x03\x04broken"])
def test_a_broken_npz_is_refused(tmp_path, content):
    path = write(tmp_path, content, "in.npz")
    with pytest.raises(ProblemError, match=r"in.npz"):
        read_samples(path)


def test_an_npy_under_the_name_npz_is_refused(tmp_path):
    path = tmp_path / "in.npz"
    with path.open("wb") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(ProblemError, match=r"in.npz"):
        read_samples(path)


def test_parameters_need_the_length_of_the_network(tmp_path):
    path = write(tmp_path, "1,2,3\n4,5,6\n")
    np.testing.assert_array_equal(read_parameters(path, 3), [[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ProblemError, match=r"the network has 4 parameters"):
        read_parameters(path, 4)


def test_parameters_from_npz(tmp_path):
    path = tmp_path / "theta.npz"
    np.savez(path, theta=np.arange(3.0))
    np.testing.assert_array_equal(read_parameters(path, 3), [[0, 1, 2]])
