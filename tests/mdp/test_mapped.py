"""A model on the disk: what is derived of it has its own rows, and what copies rows asks first whether they fit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import rltrain
from rltrain.cli.mdp.answer import show
from rltrain.cli.mdp.answers.model_facts import of_model_facts
from rltrain.errors import OutOfMemoryError
from rltrain.mdp import files, graph, pairs, problems
from rltrain.mdp.files import folder
from rltrain.mdp.learn import sampling
from rltrain.mdp.mapped import Mapped
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.compiled import Compiled
from rltrain.verbs.mdp import evaluate, info, simulate
from rltrain.verbs.mdp import solve as solving

GRID = problems.grid(40)  # with terminal states, and large enough for compiled sweeps
GARNET = problems.garnet(3_000, 3, 4, 5, 0.9)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    place = tmp_path_factory.mktemp("mapped")
    found = {}
    for name, model in (("grid", GRID), ("garnet", GARNET)):
        files.write(model, place / f"{name}.mdpd")
        found[name] = folder.read(place / f"{name}.mdpd", 0).model
    return found


@pytest.fixture
def full(monkeypatch):
    """A machine with next to no memory left."""
    monkeypatch.setattr("rltrain.mdp.mapped.available_bytes", lambda: 1_000)


def test_a_model_with_other_rows_is_not_taken_for_the_one_on_the_disk(mapped):
    model = mapped["grid"]
    for name in ("first_pair", "first_next", "next"):
        assert replace(model, **{name: getattr(model, name).copy()}).mapped is None
    assert replace(model, reward=-model.reward, name="other").mapped is model.mapped is not None


@pytest.mark.parametrize("method", ["auto", "vi", "qvi", "mpi", "gs", "lp"])
def test_at_discount_1_the_answer_is_that_of_the_same_model_in_memory(mapped, method):
    there, here = (solving.solve(model, 1.0, method) for model in (mapped["grid"], GRID))
    assert np.array_equal(there.value, here.value) and there.bound == here.bound


WHAT_COPIES_ROWS = {
    "the best rows": lambda model: solving.solve(model, method="mpi"),
    "the equations of a policy": lambda model: solving.solve(model, method="pi"),
    "the rows of a linear program": lambda model: solving.solve(model, method="lp"),
    "the states that lead to each other": solving.solve_average,
    "the transitions of a policy": lambda model: evaluate.evaluate(model, "random"),
    "tables to draw from": sampling.make,
}


@pytest.mark.parametrize("what", WHAT_COPIES_ROWS)
def test_what_copies_rows_that_do_not_fit_says_so_before_it_does(mapped, full, what):
    with pytest.raises(OutOfMemoryError, match=f"^{what} of a model that lies on the disk take about .* is free"):
        WHAT_COPIES_ROWS[what](mapped["garnet"])
    WHAT_COPIES_ROWS[what](problems.garnet(100, 3, 4, 5, 0.9))  # which is in memory


@pytest.mark.parametrize("policy", ["random", "0", "optimal"])
def test_episodes_of_a_model_whose_rows_do_not_fit_are_refused(mapped, full, policy):
    with pytest.raises(OutOfMemoryError, match="the transitions of a policy"):
        simulate.simulate(simulate.task_of(mapped["garnet"], policy, episodes=2, steps=3))


def test_before_the_best_policy_is_looked_for_its_rows_must_fit(mapped, full, monkeypatch):
    monkeypatch.setattr("rltrain.verbs.mdp.policies.solve", lambda *_, **__: pytest.fail("it was solved first"))
    with pytest.raises(OutOfMemoryError, match="the transitions of a policy"):
        evaluate.evaluate(mapped["garnet"], "optimal")


@pytest.mark.parametrize("method", ["auto", "vi", "qvi", "gs"])
def test_sweeps_over_the_disk_need_no_room_for_rows(mapped, full, method):
    assert solving.solve(mapped["garnet"], method=method).converged


def test_a_run_that_finds_no_room_for_its_tables_is_one_error(tmp_path, monkeypatch, full):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder, "MAPPED", 0)
    monkeypatch.setattr(folder.read, "__defaults__", (0,))
    files.write(GARNET, tmp_path / "m.mdpd")
    config = {"algorithm": "qlearn", "environment": "m.mdpd", "run": {"budget": {"env_steps": 100}}}
    with pytest.raises(OutOfMemoryError, match="tables to draw from"):
        rltrain.train(config, runs_dir=tmp_path / "runs")


def test_info_of_a_model_whose_graph_does_not_fit_leaves_it_out_and_says_so(mapped, full, capsys):
    found, whole = info.describe(mapped["garnet"]), info.describe(GARNET)
    left_out = set(info.LeadsTo._fields)
    for key, value in vars(whole).items():
        if key not in left_out | {"warnings"}:
            assert getattr(found, key) == value, key
    assert {getattr(found, key) for key in left_out} == {None}
    assert len(found.warnings) == 1 and found.warnings[0].startswith("left out: reachable states, classes and endings")
    show(of_model_facts(found), False)
    said = capsys.readouterr()
    assert "states      3,000 states" in said.out and "reachable " not in said.out and "classes " not in said.out
    assert "left out: reachable states" in said.err


def test_sweeps_over_copied_rows_ask_the_disk_for_nothing(mapped, monkeypatch):
    asked = []
    monkeypatch.setattr(Mapped, "ahead", lambda _, *block: asked.append(block))
    monkeypatch.setattr("rltrain.mdp.solvers.compiled.PIECE", 1_000)
    model = mapped["garnet"]
    on, value = Compiled(model, 0.9, 1), np.zeros(model.num_states)
    try:
        q = on.backup(value)
        assert asked
        best, choice = on.greedy(q)
        few = on.near_best(q, best, 0.0)
        asked.clear()
        on.greedy(q)
        on.sweep(value, np.empty_like(value), choice, few)
        assert not asked
    finally:
        on.close()


@pytest.mark.parametrize("model", [GRID, GARNET], ids=["grid", "garnet"])
def test_what_ranks_find_of_their_own_states_is_together_what_one_process_finds(model):
    edges = [0, 7, 1_000, model.num_states]
    own = list(itertools.pairwise(edges))
    found = [bellman.rounding_of(model, part) for part in own]
    whole = bellman.rounding_of(model)
    assert (max(each.widest for each in found), max(each.reward for each in found)) == (whole.widest, whole.reward)
    assert (sum(pairs.absorbing(model, part) for part in own) == pairs.absorbing(model)).all()
    assert not pairs.absorbing(model, own[1])[: own[1][0]].any()


@pytest.mark.parametrize("model", [GRID, GARNET], ids=["grid", "garnet"])
def test_backups_and_searches_in_pieces_have_the_bits_of_those_in_one(model, monkeypatch):
    value = np.random.default_rng(0).normal(size=model.num_states)
    whole = bellman.backup(model, value, 0.9), graph.levels(*graph.of_states(model), np.array([5, 0]))
    monkeypatch.setattr(bellman, "PIECE", 7)
    monkeypatch.setattr(graph, "PIECE", 7)
    pieces = bellman.backup(model, value, 0.9), graph.levels(*graph.of_states(model), np.array([5, 0]))
    assert all(np.array_equal(one, other) for one, other in zip(whole, pieces, strict=True))
