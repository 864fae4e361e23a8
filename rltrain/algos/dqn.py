"""Deep Q-network: Q-learning with a network and replay memory.

    Q(s, a) <- reward + discount * max_a' Q_target(s', a')

Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning". Options, each off by default:
Double (van Hasselt et al. 2016), dueling heads (Wang et al. 2016), n-step returns (Sutton 1988; Hessel et al. 2018),
prioritised replay (Schaul et al. 2016), the square-root value transform (Pohlen et al. 2018), targets of a policy that
explores (Expected Sarsa: van Seijen et al. 2009), Munchausen targets (Vieillard et al. 2020), a wider Huber loss,
values as histograms (HL-Gauss: Farebrother et al. 2024), images moved at random (Kostrikov et al. 2021), networks that
begin anew (Nikishin et al. 2022; Schwarzer et al. 2023), and settings that move while it learns (`_dqn_schedules`). No
hidden layers: linear approximate Q-learning.

A round collects some steps and makes the updates that they are due. In a round every target is computed with the
networks as they stood at its start. With `overlap` one core collects while the other learns: the actor's weights, the
batches and the targets of a round all come from its start, so neither thread sees what the other is doing, and the
result does not depend on their timing. A round that is paused in the middle is played to its end by the next step, by
the plan that it began with, and learns then. On a GPU updates are recorded and launched whole (`deep.recorded`), and
the cores play, many games in two halves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rltrain.algos import _dqn_schedules as schedules
from rltrain.algos._dqn_config import Config
from rltrain.algos._dqn_round import Round, Unit, unit_of
from rltrain.core import Array, Env, EnvSpec, Hardware, Metrics, Parted, Policy, State, Step, crossed, joined, reached
from rltrain.deep import actor
from rltrain.deep.actor import Actor, Exploration, Played
from rltrain.deep.device import prepare_thread, resolve
from rltrain.deep.fast import precision
from rltrain.deep.fast.helper import Helper, Nobody
from rltrain.deep.fast.helper_work import HelperWork
from rltrain.deep.fast.recorded import Targets, Updates
from rltrain.deep.greedy import Greedy
from rltrain.deep.histogram import Bins
from rltrain.deep.learner import Learner, Learnt, Rule, Samples, arrays, set_arrays, summary
from rltrain.deep.losses import Munchausen
from rltrain.deep.networks import PIXEL, NetworkShape, QNetwork, copy_weights, high_of, parameter_count, shape_of
from rltrain.deep.replay import Batch, Prioritised, Replay, frame_bytes, replay_bytes
from rltrain.envs.episodes import Episodes
from rltrain.errors import CheckpointError
from rltrain.rng import Streams, derive
from rltrain.saved import Saved, step_of

STEP_ENV_STEPS = 256  # environment steps that one `step` of the algorithm spans, about a second of an Atari game
MANY_CORES = 1024  # torch takes as many as `run.threads` allows
FEATURES = "height, width, channels"  # the order in which the first hidden layer reads what the convolutions give
TARGET_ROWS = 64  # rows whose targets are computed at once: larger batches cost less a row


class Due(NamedTuple):
    """What a round has to learn, by the steps before it."""

    updates: int
    n_step: int
    gamma: float
    learning_rate: float


class Algorithm:
    """DQN on N environments."""

    def __init__(self, config: Config, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec = config, env.spec
        self.device = resolve(hardware.device)
        is_image = env.spec.obs_dtype == "uint8"
        self.overlap = overlaps(config, env.spec)
        default_collect = (STEP_ENV_STEPS if self.overlap else config.train_freq) // env.spec.num_envs
        self.collect_steps = config.collect_steps or max(1, default_collect)
        self.rounds = max(1, STEP_ENV_STEPS // (self.collect_steps * env.spec.num_envs))
        # With overlap the second thread is ours; a small network is slower on two.
        torch.set_num_threads(1 if self.overlap or not is_image else hardware.threads)

        self._explore = rng.numpy("explore")
        self._init = rng.torch("init")

        self.env = env
        self.episodes = Episodes(env.spec.num_envs)
        self.replay = Replay(
            config.buffer_size,
            env.spec,
            n_step=max(config.n_step, config.n_step_final or 1),
            gamma=config.gamma,
            prioritised=Prioritised(config.priority_alpha, config.priority_beta) if config.prioritized else None,
            random_shift=config.random_shift if is_image else 0,
            rng=rng.numpy("replay"),
            device=self.device,
        )
        self.shape = network_shape(config, env.spec)
        self.chosen: dict[str, str] = {}
        arithmetic: str = config.precision
        if arithmetic == "auto":
            arithmetic, why = precision.choose(env.spec, self.shape, self.device, config.batch_size)
            self.chosen["precision"] = f"{arithmetic}: {why}"
        self._build(arithmetic)
        # Games that come in parts are played by as many threads, so that one decides while the other's are stepped.
        self._actors = [Actor(part, self.device) for part in (env.parts if isinstance(env, Parted) else (env,))]
        prepare = partial(prepare_thread, self.device)
        alone = hardware.threads == 1  # the same order of a round, in this thread
        helpers = [Nobody() if alone else Helper("collect", prepare) for _ in self._actors]
        self._helpers = helpers if self.overlap else []

        self.env_steps = 0
        self.updates = 0
        self._learned_steps = config.learning_starts  # environment steps up to which updates were made
        self._unit = Unit()
        self._limits: Mapping[str, int] = {}
        # `reward_scale: auto`: known when learning starts. Any other scale is in what the memory holds.
        self.auto_scale: float | None = None
        self._go_on_from(env.reset(derive(rng.seed, "train")))

    def _build(self, chosen: str) -> None:
        """The networks, in the chosen arithmetic."""
        config, self.precision = self.config, chosen
        dtype = torch.bfloat16 if chosen == "bfloat16" else torch.float32
        rule = Rule(config.loss, config.huber_delta, config.max_grad_norm, config.optimizer, config.optimizer_eps)
        self.learner = Learner(self.spec, self.shape, dtype, rule, self.device, self._init)
        self.target, self.frozen = (QNetwork(self.spec, self.shape, dtype).to(self.device) for _ in range(2))
        for network in (self.target, self.frozen):
            copy_weights(self.learner.weights, network)
        selector = self.frozen if config.double else None
        self._aims = Targets(
            self.target, selector, config.value_transform == "sqrt", config.target_epsilon, munchausen(config)
        )
        self._record()

    def _record(self) -> None:
        """On a GPU the updates are recorded; anew when what they use has moved."""
        self._recorded = None
        if self.device.type == "cuda":
            self._recorded = Updates(self.learner, self._aims, self.replay, self.config.batch_size, self.device)

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes.total, "updates": self.updates}

    @property
    def done(self) -> bool:
        return False

    # One step

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._unit.begun

    def step(self) -> Metrics:
        while self._unit.rounds < self.rounds:
            if not self._round() or (self._unit.rounds < self.rounds and reached(self._limits, self.counters)):
                return self.so_far()
        metrics = self.so_far()
        self._unit = Unit()
        return metrics

    def so_far(self) -> Metrics:
        return {
            **self.episodes.metrics(),
            **summary(self._unit.learnt, self.updates),
            "epsilon": schedules.epsilon(self.config, self.env_steps),
            "replay/fill": len(self.replay) / (self.replay.capacity_steps * self.spec.num_envs),
            **({"reward/scale": self.auto_scale or math.nan} if self.config.reward_scale == "auto" else {}),
        }

    def _round(self) -> bool:
        """Begin a round, or go on with the one that was paused. False: paused."""
        if self._unit.round is None:
            copy_weights(self.learner.weights, self.frozen)
            self._begin(Round(self.env_steps, self._explored()))
        current = self._unit.round
        assert current is not None
        while current.left and (not self._helpers or self._may_reach_a_limit(current.left)):
            played = actor.together([player.step() for player in self._actors])
            current.at += 1
            self._count(played)
            if self._helpers:
                current.held.append(played)
            else:
                self._store(played)
            if current.left and reached(self._limits, self.counters):
                return False
        learnt = self._learn_beside(current) if self._helpers else self._learn(self._due(self.env_steps), None)
        if crossed(current.before, self.env_steps, self.config.target_update_interval):
            copy_weights(self.learner.weights, self.target)
        if schedules.resets(self.config, current.before) < schedules.resets(self.config, self.env_steps):
            self.learner.restart(self._init, self.config.reset_keep)
            copy_weights(self.learner.weights, self.target)
        self._unit = Unit(self._unit.rounds + 1, self._unit.learnt + learnt)
        return True

    def _begin(self, begun: Round) -> None:
        """The actors play what is left of the round, with the frozen network."""
        self._unit.round = begun
        columns = (self._by_part(column[begun.at :]) for column in begun.plan)
        for player, random, action in zip(self._actors, *columns, strict=True):
            player.begin_round(self.frozen, Exploration(random, action))

    def _may_reach_a_limit(self, steps: int) -> bool:
        """Whether so many steps of each environment could; updates are counted when they are over."""
        most = steps * self.spec.num_envs
        counters = {"env_steps": self.env_steps + most, "episodes": self.episodes.total + most}
        return reached(self._limits, counters)

    def _learn_beside(self, current: Round) -> list[Learnt]:
        """Learn while the helpers play what is left of the round.

        What is learned from stood in the memory when the round began, what is played enters it when the round is over.
        """
        due = self._due(current.before)
        works = [
            HelperWork(helper, player.step, current.left)
            for helper, player in zip(self._helpers, self._actors, strict=True)
        ]
        try:
            beside = works[1:]
            if self._recorded is not None:  # while it is being recorded no one else may use the GPU
                beside = works if self._recorded.ready else []
            for work in beside:
                work.play()  # their threads have nothing else to do
            learnt = self._learn(due, works[0])
            played = zip(*[work.played() for work in works], strict=True)
        except BaseException:
            for work in works:
                work.abandon()
            raise
        for held in current.held:
            self._store(held)
        for parts in played:
            together = actor.together(parts)
            self._count(together)
            self._store(together)
        return learnt

    # Acting

    def _explored(self) -> Exploration:
        """Where the round's actions are random, and which they are then."""
        shape = (self.collect_steps, self.spec.num_envs)
        epsilon = np.full(self.spec.num_envs, schedules.epsilon(self.config, self.env_steps))
        epsilon[-1] = max(epsilon[-1], self.config.exploration_one_env_eps)
        return Exploration(
            self._explore.random(shape) < epsilon, self._explore.integers(0, self.spec.num_actions, shape)
        )

    def _by_part(self, column: Array) -> list[Array]:
        """[K, N] -> [K, n] of each part of the environments."""
        return np.split(column, len(self._actors), axis=1)

    def _go_on_from(self, now: Step) -> None:
        """What all environments say."""
        sizes = [self.spec.num_envs // len(self._actors)] * len(self._actors)
        for player, step in zip(self._actors, actor.split(now, sizes), strict=True):
            player.now = step

    def _count(self, played: Played) -> None:
        self.env_steps += int((~played.now.last).sum())
        self.episodes.add(played.then)

    def _store(self, played: Played) -> None:
        now, action, then = played
        reward = then.reward
        if self.config.reward_clip is not None:
            reward = np.clip(reward, -self.config.reward_clip, self.config.reward_clip)
        if self.config.reward_scale != "auto":
            reward = reward * np.float32(self.config.reward_scale)
        self.replay.add(now, action, reward, then.discount)

    # Learning

    def _due(self, steps: int) -> Due:
        """The updates that so many environment steps are due and have not had."""
        config = self.config
        count = schedules.updates(config, steps) - schedules.updates(config, self._learned_steps)
        self._learned_steps = max(self._learned_steps, steps)
        return Due(
            count if self.replay.ready else 0,
            schedules.n_step(config, steps),
            schedules.gamma(config, steps),
            schedules.learning_rate(config, self._learned_steps),
        )

    def _draw(self, due: Due) -> list[Batch]:
        """A batch for every update."""
        if due.updates <= 0:
            return []
        batches = self.replay.draw(due.updates, self.config.batch_size, due.n_step, due.gamma)
        if self.config.reward_scale != "auto":
            return batches
        if self.auto_scale is None:
            self.auto_scale = self._first_scale()
        scale = np.float32(self.auto_scale or 1.0)
        return [batch._replace(reward=batch.reward * scale) for batch in batches]

    def _first_scale(self) -> float | None:
        """None while no reward was ever seen: a scale of zeros is not needed yet."""
        size = self.replay.reward_size()
        return None if size is None else 1 / size

    def _learn(self, due: Due, work: HelperWork[Played] | None) -> list[Learnt]:
        """The updates that are due."""
        batches = self._draw(due)
        if self._recorded is None:
            learnt = self._learn_here(batches, due.learning_rate, work)
        else:
            learnt = self._recorded(batches, due.learning_rate)
        self.updates += len(learnt)
        if self.config.prioritized and batches:
            rows = np.concatenate([batch.row for batch in batches])
            self.replay.rewrite_priorities(rows, torch.cat([update.td_error for update in learnt]).cpu().numpy())
        return learnt

    def _learn_here(self, batches: list[Batch], learning_rate: float, work: HelperWork[Played] | None) -> list[Learnt]:
        """On the processor. Targets are computed for several batches at once, as of the round's start."""
        learnt = []
        size = max(1, TARGET_ROWS // self.config.batch_size)
        groups = [batches[i : i + size] for i in range(0, len(batches), size)]
        inputs = [partial(self._input, batch) for batch in batches]
        targets = [partial(self._targets, group) for group in groups]
        if work is not None:
            work.plan(inputs, targets, size)
        target = torch.empty(0)
        for i, batch in enumerate(batches):
            if work is not None:
                x, target = work.begin(i)
            else:
                x, target = inputs[i](), targets[i // size]() if i % size == 0 else target
            mine = target.split(self.config.batch_size)[i % size].clone()
            samples = Samples(x, torch.from_numpy(batch.action), mine, torch.from_numpy(batch.weight))
            submit = None if work is None else work.submit
            learnt.append(self.learner.update(samples, learning_rate, submit))
        self.learner.wait()
        return learnt

    def _input(self, batch: Batch) -> Tensor:
        """The observations that an update differentiates at, prepared."""
        return self.learner.online.prepare(self.replay.observations(batch.row, batch.moved))

    def _targets(self, chunk: list[Batch]) -> Tensor:
        """Regression targets, [rows of the chunk]."""
        rows = Batch(*(np.concatenate(column) for column in zip(*chunk, strict=True)))
        reward, discount, action = map(torch.from_numpy, (rows.reward, rows.discount, rows.action))
        with torch.inference_mode():
            x_next = self.target.prepare(self.replay.observations(rows.next_row, rows.next_moved))
            x = self._input(rows) if self.config.munchausen else None
            return self._aims.of(reward, discount, x_next, x, action)

    # What it has learned

    def policy(self) -> Policy:
        network = QNetwork(self.spec, self.shape).to(self.device)
        copy_weights(self.learner.weights, network)
        return Greedy(network, self.device)

    def save(self) -> State:
        return {
            "precision": self.precision,
            "features": FEATURES,
            **({} if self.spec.obs_high == PIXEL else {"obs_high": self.spec.obs_high}),
            "learner": self.learner.save(),
            "target": arrays(self.target),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "learned_steps": self._learned_steps,
            "auto_scale": self.auto_scale,
            "now": joined([player.now for player in self._actors])._asdict(),
            "episodes": self.episodes.save(),
            "replay": self.replay.save(),
            "env": self.env.save(),
            **({"unit": self._unit.save()} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        _check_features(self.spec, saved)
        arithmetic = saved.text("precision", among=("float32", "bfloat16"))
        if arithmetic != self.precision:
            why = "the processor has no instructions for the run's bfloat16"
            if self._can_compute(arithmetic):
                self._build(arithmetic)
                why = "as the run began"
            self.chosen["precision"] = f"{self.precision}: {why}"
        self.spec = replace(self.spec, obs_high=high_of(saved, self.spec))
        for network in (self.learner.weights, self.learner.online, self.target, self.frozen):
            network.see_as_one(self.spec.obs_high)
        self.learner.load(saved.part("learner"))
        set_arrays(self.target, saved.part("target"))
        self.env_steps = saved.integer("env_steps")
        self.updates = saved.integer("updates")
        # At most the steps of the last round, and of one that is under way, have not been learned from.
        told = max(self.config.learning_starts, self.env_steps)
        waiting = self.collect_steps * self.spec.num_envs * (2 if "unit" in saved else 1)
        self._learned_steps = saved.integer("learned_steps", max(self.config.learning_starts, told - waiting), told)
        scaled = "auto_scale" in saved and saved.given("auto_scale")  # earlier versions had no such scale
        self.auto_scale = saved.number("auto_scale", 0) if scaled else None
        self._go_on_from(step_of(saved.part("now"), self.spec))
        self.episodes.load(saved.part("episodes"))
        self.replay.load(saved.part("replay"))
        self.env.load(saved.part("env"))
        self._record()
        self._unit = Unit()
        if "unit" in saved:
            shape = (self.collect_steps, self.spec.num_envs)
            held = bool(self._helpers)
            self._unit = unit_of(saved.part("unit"), self.spec, self.rounds, shape, self.env_steps, held, self.device)
        if self._unit.round is not None:
            copy_weights(self.learner.weights, self.frozen)
            self._begin(self._unit.round)

    def _can_compute(self, arithmetic: str) -> bool:
        """No: it was chosen on a processor that has bfloat16, which this one lacks; the run goes on in float32."""
        return arithmetic != "bfloat16" or self.config.precision != "auto" or precision.has_bfloat16(self.device)


def load_policy(config: Config, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy of a saved state, without its environments and its memory."""
    saved = Saved.of(state)
    _check_features(spec, saved)
    torch.set_num_threads(hardware.threads)
    device = resolve(hardware.device)
    network = QNetwork(replace(spec, obs_high=high_of(saved, spec)), network_shape(config, spec))
    set_arrays(network, saved.part("learner").part("weights"))
    return Greedy(network.to(device), device)


def _check_features(spec: EnvSpec, state: State) -> None:
    """CheckpointError for one of a version that had the weights for images in another order."""
    if spec.obs_dtype == "uint8" and state.get("features") != FEATURES:
        raise CheckpointError("saved by an earlier version of dqn, whose weights lie in another order")


def network_shape(config: Config, spec: EnvSpec) -> NetworkShape:
    """The network that these settings mean for these observations."""
    bins = None
    if config.loss == "hl_gauss":
        bins = Bins(config.v_min, config.v_max, config.num_bins, config.bin_sigma)
    return shape_of(spec, config.convolutions, config.padding, config.hidden, config.dueling, config.layer_norm, bins)


def munchausen(config: Config) -> Munchausen | None:
    """The rule of Munchausen targets; None: plain ones."""
    if not config.munchausen:
        return None
    return Munchausen(config.munchausen_alpha, config.munchausen_tau, config.munchausen_clip)


def overlaps(config: Config, spec: EnvSpec) -> bool:
    """Whether one core collects while the other learns."""
    return spec.obs_dtype == "uint8" if config.overlap is None else config.overlap


def cost(config: Config, spec: EnvSpec) -> dict[str, int]:
    """What a run of these settings needs: parameters, bytes of replay memory and of a checkpoint, cores; at most."""
    parameters = parameter_count(QNetwork(spec, network_shape(config, spec)))
    n_step = max(config.n_step, config.n_step_final or 1)
    replay = replay_bytes(config.buffer_size, spec, n_step, config.prioritized)
    compression = 8 if spec.obs_dtype == "uint8" else 1  # chunks of real frames shrink tenfold
    return {
        "parameters": parameters,
        "replay_bytes": replay,
        "frame_bytes": frame_bytes(config.buffer_size, spec, n_step),
        "checkpoint_bytes": 4 * 4 * parameters + replay // compression,
        "cores": 2 if overlaps(config, spec) else 1 if spec.obs_dtype != "uint8" else MANY_CORES,
    }
