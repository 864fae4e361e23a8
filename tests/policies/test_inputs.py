"""What a small network reads of observations of every form."""

from dataclasses import replace

import numpy as np

from rltrain.core import EnvSpec
from rltrain.policies import inputs
from rltrain.spaces import Discrete, laid_out

SPEC = EnvSpec("T", (3,), "float32", 1, Discrete(2), 1, 1, 10, None)


def test_vectors_and_pictures_of_floats_are_read_as_they_are():
    spec = replace(SPEC, obs_shape=(1, 2, 2))
    obs = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    assert inputs.size(spec) == 4
    read = inputs.reader(spec)(obs)
    assert read.dtype == np.float64 and read.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_bytes_of_a_picture_are_scaled_by_their_greatest_value():
    spec = replace(SPEC, obs_shape=(1, 1, 2), obs_dtype="uint8", obs_high=10)
    assert inputs.reader(spec)(np.array([[[[5, 10]]]], np.uint8)).tolist() == [[0.5, 1.0]]


def test_packed_parts_are_unpacked():
    parts, width, dtype = laid_out([("eye", (1, 2, 2), "uint8", 4), ("arm", (2,), "float32", 255)])
    spec = replace(SPEC, obs_shape=(width,), obs_dtype=dtype, parts=parts)
    row = np.zeros(width, np.uint8)
    by_name = {part.name: part for part in parts}
    row[by_name["arm"].start : by_name["arm"].stop] = np.array([1.5, -7], np.float32).view(np.uint8)
    row[by_name["eye"].start : by_name["eye"].stop] = [0, 1, 2, 4]
    assert inputs.size(spec) == 6
    assert inputs.reader(spec)(np.stack([row, row])).tolist() == [[1.5, -7, 0, 0.25, 0.5, 1]] * 2
