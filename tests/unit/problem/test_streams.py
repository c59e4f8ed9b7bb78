import math

import numpy as np
import pytest

from flowscape.errors import OptionError
from flowscape.problem.streams import Purpose, stream_key


def test_the_key_is_the_state_of_the_spawned_sequence():
    expected = np.random.SeedSequence(5, spawn_key=(1,)).generate_state(2, np.uint64)
    assert stream_key(5, Purpose.SAMPLES) == tuple(int(word) for word in expected)


def test_purposes_and_seeds_give_different_keys():
    keys = {stream_key(seed, purpose) for seed in range(20) for purpose in Purpose}
    assert len(keys) == 20 * len(Purpose)


def test_numbers_of_purposes_are_fixed():
    assert [(p.name, int(p)) for p in Purpose] == [
        ("INITIALISATION", 0),
        ("SAMPLES", 1),
        ("PERTURBATION", 2),
        ("BATCHES", 3),
    ]


def test_a_seed_and_its_sequence_agree_and_a_spawned_one_differs():
    root = np.random.SeedSequence(5)
    assert stream_key(root, Purpose.SAMPLES) == stream_key(np.int64(5), Purpose.SAMPLES)
    assert stream_key(root.spawn(1)[0], Purpose.SAMPLES) != stream_key(root, Purpose.SAMPLES)


def test_a_generator_gives_one_root_per_call():
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    keys = [stream_key(first, Purpose.SAMPLES) for _ in range(2)]
    assert keys[0] != keys[1]
    assert stream_key(second, Purpose.SAMPLES) == keys[0]
    root = int(np.random.default_rng(1).integers(2**64 - 1, dtype=np.uint64, endpoint=True))
    assert stream_key(root, Purpose.SAMPLES) == keys[0]


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_ends_of_the_range_are_seeds(seed):
    assert all(0 <= word < 2**64 for word in stream_key(seed, Purpose.SAMPLES))


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "7", math.nan, [1]])
def test_bad_seeds(seed):
    with pytest.raises(OptionError, match="rng="):
        stream_key(seed, Purpose.SAMPLES)
