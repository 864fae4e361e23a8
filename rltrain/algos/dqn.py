"""Deep Q-network: Q-learning with a network and replay memory.

    Q(s, a) <- reward + discount * max_a' Q_target(s', a')

Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning". Options, each off by default:
Double (van Hasselt et al. 2016), dueling heads (Wang et al. 2016), n-step returns (Sutton 1988; Hessel et al. 2018),
prioritised replay (Schaul et al. 2016), the square-root value transform (Pohlen et al. 2018), targets of a policy that
explores (Expected Sarsa: van Seijen et al. 2009), Munchausen targets (Vieillard et al. 2020), a wider Huber loss,
values as histograms (HL-Gauss: Farebrother et al. 2024), as distributions of returns (C51: Bellemare et al. 2017;
QR-DQN: Dabney et al. 2018a; IQN: Dabney et al. 2018b), layers that vary (Fortunato et al. 2018), images shifted at
random (Kostrikov et al. 2021), networks that begin anew (Nikishin et al. 2022; Schwarzer et al. 2023), settings that
change while it learns (`_dqn_schedules`), and environments that others play at their own pace (Ape-X: Horgan et al.
2018). No hidden layers: linear Q-learning.

A round collects some steps and makes the updates that they are due. In a round every target is computed with the
networks as they stood at its start. With `overlap` one core collects while the other learns: the actor's weights, the
batches and the targets of a round all come from its start, so neither thread sees what the other is doing, and the
result does not depend on their timing. A round that is paused in the middle is played to its end by the next step, by
the plan that it began with, and learns then. Four networks: the learner's master weights and the working copy that is
differentiated, the actor's, and the target's. How updates are made fast is the engine's (`deep.engine`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from rltrain.algos import _dqn_machine as machine
from rltrain.algos import _dqn_schedules as schedules
from rltrain.algos._dqn_config import DqnConfig
from rltrain.algos._dqn_round import Round, Unit, unit_of
from rltrain.algos._dqn_rule import loss, td_target
from rltrain.core import Env, Hardware, Metrics, Policy, State
from rltrain.counters import crossed, reached
from rltrain.deep.actor import Exploration, Played, Players, epsilon_greedy
from rltrain.deep.device import resolve
from rltrain.deep.engine import engine
from rltrain.deep.greedy import greedy_copy
from rltrain.deep.learner import Learner, UpdateStats, arrays, set_arrays, summary
from rltrain.deep.networks import PIXEL, QNetwork, copy_weights, high_of
from rltrain.deep.rewards import RewardScale
from rltrain.deep.transitions import Batch
from rltrain.deep.trunks import chosen_convolutions
from rltrain.envs.episodes import Episodes
from rltrain.rng import Streams, derive
from rltrain.saved import Saved, resumed, step_state
from rltrain.steps import reward_to_learn


class DQN:
    """DQN on N environments."""

    def __init__(self, config: DqnConfig, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec, self.env = config, env.spec, env
        self.device, self._threads = resolve(hardware.device), hardware.threads
        self.overlap = machine.overlaps(config, env.spec)
        self.players = Players(env, self.device, epsilon_greedy, machine.network_shape(config, env.spec))
        self.away = self.players.away  # others play, and this is what arrives; None: these players do
        self.collect_steps, self.rounds = schedules.rounds(
            config, env.spec.num_envs, self.overlap, apart=self.away is not None
        )
        # With overlap the second thread is ours; a small network is slower on two.
        torch.set_num_threads(1 if self.overlap or not env.spec.has_image else hardware.threads)
        self._seed = rng.seed
        self._explore, self._init = rng.numpy("explore"), rng.torch("init")
        self._varied = rng.numpy("varied") if config.loss == "iqn" or config.noisy else None

        self.episodes = Episodes(env.spec.num_envs)
        self.replay = machine.memory(config, env.spec, rng, self.device)
        self.rewards = RewardScale(config.reward_clip, config.reward_scale)
        self.precision, why = machine.arithmetic(config, env.spec, self.device)
        self.chosen = chosen_convolutions(env.spec, config.convolutions)
        self.chosen |= {} if why is None else {"precision": f"{self.precision}: {why}"}
        self._build()

        self.env_steps = self.updates = 0
        self._learned_until = config.learning_starts  # environment steps up to which updates were made
        self._unit = Unit()
        self._limits: Mapping[str, int] = {}
        self.players.go_on_from(env.reset(derive(rng.seed, "train")))

    def _build(self) -> None:
        """The networks, and how they learn."""
        config, shape = self.config, machine.network_shape(self.config, self.spec)
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        self.learner = Learner(
            self.spec,
            shape,
            partial(loss, config),
            self._init,
            device=self.device,
            dtype=dtype,
            optimizer=config.optimizer,
            optimizer_eps=config.optimizer_eps,
            max_grad_norm=config.max_grad_norm,
        )
        self.target, self.actor = (QNetwork(self.spec, shape, dtype).to(self.device) for _ in range(2))
        for network in (self.target, self.actor):
            copy_weights(self.learner.master, network)
        self.td_target = partial(td_target, config, self.target, self.actor)
        self._start_engine()

    def _start_engine(self) -> None:
        """Anew when what it has recorded of the learner lies elsewhere."""
        parts = len(self.players.actors)
        self.engine = engine(self.learner, self.device, beside=self.overlap, threads=self._threads, parts=parts)

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes.total, "updates": self.updates}

    @property
    def done(self) -> bool:
        return False

    def pause_at(self, limits: Mapping[str, int]) -> None:
        self._limits = limits

    @property
    def paused(self) -> bool:
        return self._unit.begun

    def step(self) -> Metrics:
        while self._unit.rounds < self.rounds:
            if not self._round() or (self._unit.rounds < self.rounds and reached(self._limits, self.counters)):
                return self.so_far()
        metrics, self._unit = self.so_far(), Unit()
        return metrics

    def so_far(self) -> Metrics:
        return {
            **self.episodes.metrics(),
            **summary(self._unit.stats, self.updates),
            "epsilon": schedules.epsilon(self.config, self.env_steps) if self.away is None else self.away.epsilon,
            "replay/fill": len(self.replay) / (self.replay.capacity_steps * self.spec.num_envs),
            **self.rewards.metrics(),
        }

    def _round(self) -> bool:
        """Play and learn, from the round's start or from where it was paused. False: paused."""
        current = self._unit.round or self._begin()
        while current.left and (not self.overlap or current.may_reach(self._limits, self.counters)):
            self._remember(current, self.players.step())
            if current.left and reached(self._limits, self.counters):
                if self.away is None:
                    return False
                current.end()
        plan = self._plan(current.before if self.overlap else self.env_steps)
        # Gradient steps down `loss` towards `td_target`, one a batch, while the players make the steps that are left.
        with self.engine.round(self.replay, self.td_target, self.players, current.left) as engine_round:
            batches = self._draw(plan)
            stats = engine_round.learn(batches, plan.learning_rate)
            self._learned(batches, stats)
            played = engine_round.played()
        for each in played:
            self._count(each)
        for each in (*current.held, *played):
            self._store(each)
        self._sync_target(current.before)
        self._unit = Unit(self._unit.rounds + 1, [*self._unit.stats, *stats])
        return True

    def _begin(self) -> Round:
        """A round that the actor plays with the weights of now; which actions are random is drawn beforehand."""
        self._decide(self.env_steps)
        epsilon = schedules.epsilons(self.config, self.env_steps, self.spec.num_envs)
        steps = self.collect_steps
        if self.away is not None:  # what has arrived; while there is nothing to learn from, at least something
            steps = min(steps, self.away.arrived(self.actor, 0 if self._may_learn(self.env_steps) else 1))
        plan = Exploration.drawn(epsilon, steps, self.spec, self._explore)
        current = self._unit.round = Round(self.env_steps, plan)
        self.players.begin_round(self.actor, current.plan)
        return current

    def _decide(self, before: int) -> None:
        """The actor's weights of a round that begins after so many steps; noisy ones are drawn for all of it."""
        copy_weights(self.learner.master, self.actor)
        if self.config.noisy:
            self.actor.draw(torch.Generator().manual_seed(derive(self._seed, "noise", before)))

    def _sync_target(self, before: int) -> None:
        """After a round that began at `before`: copy the weights to the target network; a reset, if one is due."""
        if crossed(before, self.env_steps, self.config.target_update_interval):
            copy_weights(self.learner.master, self.target)
        if schedules.resets(self.config, before) < schedules.resets(self.config, self.env_steps):
            self.learner.restart(self._init, self.config.reset_keep)
            copy_weights(self.learner.master, self.target)

    # Remembering

    def _remember(self, current: Round, played: Played) -> None:
        """A step of a round: with overlap the memory stays as it was until the round is over."""
        current.at += 1
        self._count(played)
        if self.overlap:
            current.held.append(played)
        else:
            self._store(played)

    def _count(self, played: Played) -> None:
        self.env_steps += int((~played.step.last).sum())
        self.episodes.add(played.next_step)

    def _store(self, played: Played) -> None:
        step, action, next_step = played
        self.replay.add(step, action, self.rewards(reward_to_learn(next_step)), next_step.discount)

    # Learning

    def _plan(self, env_steps: int) -> schedules.UpdatePlan:
        """The updates that so many environment steps are due and have not had."""
        plan = schedules.plan(self.config, env_steps, self._learned_until)
        self._learned_until = max(self._learned_until, env_steps)
        if self.away is not None:
            plan = plan._replace(updates=self.away.env.refresh)
        return plan if self._may_learn(env_steps) else plan._replace(updates=0)

    def _may_learn(self, env_steps: int) -> bool:
        return self.replay.ready and env_steps >= self.config.learning_starts

    def _draw(self, plan: schedules.UpdatePlan) -> list[Batch]:
        """A batch for every update."""
        if plan.updates <= 0:
            return []
        batches = self.replay.draw(plan.updates, self.config.batch_size, plan.n_step, plan.gamma)
        if self._varied is not None:
            batches = [self._vary(batch, self._varied) for batch in batches]
        return [batch._replace(reward=self.rewards.scaled(batch.reward, self.replay.rewards)) for batch in batches]

    def _vary(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """With the levels whose quantiles an update learns, and the noise of its layers, where it has them."""
        size, draws = self.config.batch_size, self.learner.master.draws
        if self.config.loss == "iqn":
            # One in each of equal parts, so that their mean, by which transitions are drawn, hardly hangs on luck.
            n = self.config.n_quantiles
            levels = (np.arange(n, dtype=np.float32) + rng.random((size, n), np.float32)) / np.float32(n)
            batch = batch._replace(levels=levels)
        return batch._replace(noise=rng.standard_normal((size, 2 * draws), np.float32))

    def _learned(self, batches: list[Batch], stats: Sequence[UpdateStats]) -> None:
        """Count the updates; their TD errors are the priorities of what they were made from."""
        self.updates += len(stats)
        if self.config.prioritized and batches:
            rows = np.concatenate([batch.row for batch in batches])
            self.replay.rewrite_priorities(rows, torch.cat([update.td_error for update in stats]).cpu().numpy())

    # What it has learned

    def policy(self) -> Policy:
        return greedy_copy(self.learner.master, self.spec, machine.network_shape(self.config, self.spec), self.device)

    def save(self) -> State:
        return {
            "precision": self.precision,
            "features": machine.FEATURES,
            **({} if self.spec.obs_high == PIXEL else {"obs_high": self.spec.obs_high}),
            "learner": self.learner.save(),
            "target": arrays(self.target),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "learned_steps": self._learned_until,
            "auto_scale": self.rewards.auto,
            "now": step_state(self.players.now),
            "episodes": self.episodes.save(),
            "replay": self.replay.save(),
            "env": self.env.save(),
            **({"unit": self._unit.save()} if self.paused else {}),
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        machine.check_features(self.spec, saved)
        self._load_precision(saved.text("precision", among=("float32", "bfloat16")))
        self.spec = replace(self.spec, obs_high=high_of(saved, self.spec))
        for network in (self.learner.master, self.learner.working, self.target, self.actor):
            network.see_as_one(self.spec.obs_high)
        self.learner.load(saved.part("learner"))
        set_arrays(self.target, saved.part("target"))
        self.env_steps, self.updates = saved.integer("env_steps"), saved.integer("updates")
        # At most the steps of the last round, and of one under way, have not been learned from.
        told = max(self.config.learning_starts, self.env_steps)
        waiting = self.collect_steps * self.spec.num_envs * (2 if "unit" in saved else 1)
        self._learned_until = saved.integer("learned_steps", max(self.config.learning_starts, told - waiting), told)
        if "auto_scale" in saved:  # earlier versions had no such scale
            self.rewards.load(saved)
        self.players.go_on_from(resumed(self.env, saved))
        self.episodes.load(saved.part("episodes"))
        self.replay.load(saved.part("replay"))
        self._unit = self._unit_of(saved.part("unit")) if "unit" in saved else Unit()
        self._start_engine()

    def _load_precision(self, name: str) -> None:
        """The arithmetic of a saved run, which may be another than this machine would choose."""
        if name == self.precision:
            return
        found, why = machine.arithmetic_of_saved(self.config, name, self.precision, self.device)
        self.chosen["precision"] = f"{found}: {why}"
        if found != self.precision:
            self.precision = found
            self._build()

    def _unit_of(self, saved: Saved) -> Unit:
        """Its round goes on with the actor's weights, which are those of the learner until it learns."""
        rule = {"rounds": self.rounds, "collect_steps": self.collect_steps, "env_steps": self.env_steps}
        unit = unit_of(saved, self.spec, self.device, overlap=self.overlap, **rule)
        if unit.round is not None:
            self._decide(unit.round.before)
            self.players.begin_round(self.actor, unit.round.to_come)
            unit.round.go_on_from(self.players.now)
        return unit
