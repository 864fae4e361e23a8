"""What an algorithm lists, as CSV: every number reads back the same."""

import csv
import io

import numpy as np
import pytest

from rltrain.run.tables import as_csv


def test_numbers_read_back_the_same():
    columns = {"p, or so": np.array([0.1, 1 / 3, -0.0, 1e300]), "games": np.array([1, 2, 3, 4])}
    rows = list(csv.reader(io.StringIO(as_csv(columns))))
    assert rows[0] == ["p, or so", "games"]
    assert [float(row[0]) for row in rows[1:]] == columns["p, or so"].tolist()
    assert [row[1] for row in rows[1:]] == ["1", "2", "3", "4"]


def test_columns_of_different_lengths_are_a_mistake():
    with pytest.raises(ValueError, match="shorter"):
        as_csv({"a": np.zeros(2), "b": np.zeros(1)})


def test_names_that_a_spreadsheet_would_run_are_guarded():
    rows = list(csv.reader(io.StringIO(as_csv({"=p": np.array([-0.5]), "said": np.array(["@x"])}))))
    assert rows == [["'=p", "said"], ["-0.5", "'@x"]]
