"""`flowscape activation NAME`."""

import json


def test_activation_says_which_theory_applies(run):
    done = run("activation", "softplus")
    assert done.code == 0
    for words in ("even + linear", "Assumption 2.1: fails", "rapidly decreasing with s = 2"):
        assert words in done.out
    data = json.loads(run("activation", '{"name": "tanh", "h": 0.3}', "--json").out)
    assert data["class"] == {"without bias": "generic", "with bias": "odd"}
    assert data["assumption_2_1"]["as printed"] is True
    assert data["branches"] == {"without bias": "", "with bias": ""}
    assert [row["s"] for row in data["assumption_3_1"]] == [0, 1, 2, 3, 4]


def test_activation_misuse(run):
    done = run("activation", "tahn")
    assert done.code == 2
    assert "did you mean 'tanh'" in done.err
    assert run("activation", "tanh", "--order", 3).code == 2
