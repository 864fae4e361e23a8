"""What a game gives as its picture is looked at before it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from rltrain.errors import EnvironmentFault, InputError
from rltrain.film import picture


def test_a_game_without_a_picture_cannot_be_shown() -> None:
    with pytest.raises(InputError, match="has no picture of this game"):
        picture.checked(None)


def test_a_picture_of_another_form_is_the_fault_of_the_environment() -> None:
    with pytest.raises(EnvironmentFault, match=r"must be uint8 \[height, width, 3\], and is float64 \[3, 3\]"):
        picture.checked(np.zeros((3, 3)))
    frame = np.zeros((2, 4, 3), np.uint8)
    assert picture.checked(frame) is frame
