"""Deep Q-network: Q-learning with a neural network, a replay memory and a slowly moving target.

    Q(s, a) <- reward + discount * max_a' Q_target(s', a')

Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning". Options, each off by default:
Double (van Hasselt et al. 2016), dueling heads (Wang et al. 2016), n-step returns (Sutton 1988; Hessel et al. 2018),
prioritised replay (Schaul et al. 2016), the square-root value transform (Pohlen et al. 2018). No hidden layers: linear
approximate Q-learning.

A round collects some steps and makes the updates that they are due. In a round every target is computed with the
networks as they stood at its start. With `overlap` one core collects while the other learns: the actor's weights, the
batches and the targets of a round all come from its start, so neither thread sees what the other is doing, and the
result does not depend on their timing.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rltrain.algos._dqn_config import DEFAULT_BUDGET, DEFAULT_NUM_ENVS, TASK, Config
from rltrain.core import Array, Env, EnvSpec, Hardware, Metrics, Policy, State, Step, crossed
from rltrain.deep import losses, precision
from rltrain.deep.device import resolve
from rltrain.deep.helper_work import HelperWork
from rltrain.deep.networks import Conv, NetworkShape, QNetwork, copy_weights, initialise, parameter_count
from rltrain.deep.optimiser import Optimiser
from rltrain.deep.replay import Batch, Prioritised, Replay, replay_bytes
from rltrain.envs.episodes import Episodes
from rltrain.errors import DivergedError
from rltrain.rng import Streams, derive

__all__ = ["DEFAULT_BUDGET", "DEFAULT_NUM_ENVS", "TASK", "Algorithm", "Config", "cost", "load_policy"]

STEP_ENV_STEPS = 256  # environment steps that one `step` of the algorithm spans, about a second of an Atari game
TARGET_ROWS = 64  # rows whose targets are computed at once: larger batches cost less a row
HELPER_SHARE = 3 / 8  # of a batch's gradient; the helper also plays and computes targets


class Part(NamedTuple):
    """What some rows of a batch give to an update."""

    gradients: list[Tensor]  # float32, by parameter
    td_error: Tensor  # [rows]
    loss: Tensor  # this and the next: the rows' share in the batch's mean
    value: Tensor


class Learnt(NamedTuple):
    """What one update saw: scalars."""

    loss: Tensor
    value: Tensor  # mean Q of the batch's actions
    norm: Tensor  # of the gradient, before clipping


class Algorithm:
    """DQN on N environments."""

    def __init__(self, config: Config, env: Env, rng: Streams, hardware: Hardware) -> None:
        self.config, self.spec = config, env.spec
        self.device = resolve(hardware.device)
        is_image = env.spec.obs_dtype == "uint8"
        self.overlap = is_image if config.overlap is None else config.overlap
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
            n_step=config.n_step,
            gamma=config.gamma,
            prioritised=Prioritised(config.priority_alpha, config.priority_beta) if config.prioritized else None,
            rng=rng.numpy("replay"),
        )
        self.shape = network_shape(config, env.spec)
        chosen = config.precision
        if chosen == "auto":
            chosen = precision.choose(env.spec, self.shape, self.device, config.batch_size)  # type: ignore[assignment]
        self._build(chosen)
        self._helper = (
            ThreadPoolExecutor(1, "collect", initializer=torch.set_num_threads, initargs=(1,)) if self.overlap else None
        )

        self.env_steps = 0
        self.updates = 0
        self._learned_steps = config.learning_starts  # environment steps up to which updates were made
        self._now = env.reset(derive(rng.seed, "train"))

    def _build(self, chosen: str) -> None:
        """The networks, in the chosen arithmetic."""
        self.precision = chosen
        dtype = torch.bfloat16 if chosen == "bfloat16" else torch.float32
        self.weights = QNetwork(self.spec, self.shape).to(self.device)  # what the optimiser moves, float32
        initialise(self.weights, self._init)
        networks = [QNetwork(self.spec, self.shape, dtype).to(self.device) for _ in range(3)]
        self.online, self.target, self.frozen = networks
        if dtype == torch.float32:
            self.online = self.weights
        for network in (self.online, self.target, self.frozen):
            copy_weights(self.weights, network)
        self.optimiser = Optimiser(self.config.optimizer, list(self.weights.parameters()), self.config.optimizer_eps)

    @property
    def counters(self) -> Mapping[str, int]:
        return {"env_steps": self.env_steps, "episodes": self.episodes.total, "updates": self.updates}

    @property
    def done(self) -> bool:
        return False

    # One step

    def step(self) -> Metrics:
        learnt = [update for _ in range(self.rounds) for update in self._round()]
        loss, value, norm = (
            (_mean(list(column)) for column in zip(*learnt, strict=True)) if learnt else [float("nan")] * 3
        )
        if learnt and not np.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} after {self.updates:,} updates; "
                "lower algorithm.learning_rate, or clip or scale the rewards"
            )
        return {
            **self.episodes.metrics(),
            "loss/td": loss,
            "loss/grad_norm": norm,
            "q/mean": value,
            "epsilon": self.epsilon(self.env_steps),
            "replay/fill": len(self.replay) / (self.replay.capacity_steps * self.spec.num_envs),
        }

    def _round(self) -> list[Learnt]:
        before = self.env_steps
        copy_weights(self.weights, self.frozen)
        if self._helper is None:
            for _ in range(self.collect_steps):
                self._remember(*self._act())
            learnt = self._learn(self._draw(), None)
        else:
            # What is learned from stood in the memory when the round began, what is played enters it when the round is
            # over.
            work = HelperWork(self._helper, self._act, self.collect_steps)
            learnt = self._learn(self._draw(), work)
            for then in work.played():
                self._remember(*then)
        if crossed(before, self.env_steps, self.config.target_update_interval):
            copy_weights(self.weights, self.target)
        return learnt

    # Acting

    def _act(self) -> tuple[Step, Array, Step]:
        """One step of every environment with the weights of the round's start: what was seen, done, and seen next."""
        now, spec = self._now, self.spec
        with torch.inference_mode():
            action = self.frozen(torch.from_numpy(now.obs).to(self.device)).argmax(1).cpu().numpy()
        random = self._explore.random(spec.num_envs) < self.epsilon(self.env_steps)
        action = np.where(random, self._explore.integers(0, spec.num_actions, spec.num_envs), action)
        self._now = self.env.step(action)
        self.env_steps += int((~now.last).sum())
        return now, action, self._now

    def _remember(self, now: Step, action: Array, then: Step) -> None:
        self.episodes.add(then)
        reward = then.reward
        if self.config.reward_clip is not None:
            reward = np.clip(reward, -self.config.reward_clip, self.config.reward_clip)
        self.replay.add(now, action, reward * np.float32(self.config.reward_scale), then.discount)

    def epsilon(self, env_steps: int) -> float:
        """The chance of a random action: 1 before learning starts, then along the schedule."""
        config = self.config
        if env_steps < config.learning_starts:
            return 1.0
        share = min(1.0, env_steps / config.exploration_steps)
        return config.exploration_initial_eps + share * (config.exploration_final_eps - config.exploration_initial_eps)

    # Learning

    def _draw(self) -> list[Batch]:
        """A batch for every update that the steps so far are due and have not had."""
        config = self.config
        due = max(0, self.env_steps // config.train_freq - self._learned_steps // config.train_freq)
        self._learned_steps = max(self._learned_steps, self.env_steps)
        if not due or not self.replay.ready:
            return []
        return self.replay.draw(due * config.gradient_steps, config.batch_size)

    def _learn(self, batches: list[Batch], work: HelperWork | None) -> list[Learnt]:
        """One update a batch. Targets are computed for several batches at once, as of the round's start."""
        learnt, errors = [], []
        size = max(1, TARGET_ROWS // self.config.batch_size)
        chunks = [batches[i : i + size] for i in range(0, len(batches), size)]
        if work is not None:
            work.plan([partial(self._targets, chunk) for chunk in chunks], len(batches))
        for i, chunk in enumerate(chunks):
            target = self._targets(chunk) if work is None else work.target(i)
            for batch, batch_target in zip(chunk, target.split(self.config.batch_size), strict=True):
                td_error, update = self._update(batch, batch_target, work)
                errors.append(td_error)
                learnt.append(update)
        if self.config.prioritized and errors:
            self.replay.rewrite_priorities(np.concatenate([b.row for b in batches]), torch.cat(errors).cpu().numpy())
        return learnt

    def _targets(self, chunk: list[Batch]) -> Tensor:
        """Regression targets, [rows of the chunk]."""
        rows = Batch(*(np.concatenate(column) for column in zip(*chunk, strict=True)))
        with torch.inference_mode():
            obs = self.replay.observations(rows.next_row).to(self.device)
            q_next = self.target(obs)
            return losses.q_target(
                torch.from_numpy(rows.reward).to(self.device),
                torch.from_numpy(rows.discount).to(self.device),
                q_next,
                self.frozen(obs) if self.config.double else q_next,
                transform=self.config.value_transform == "sqrt",
            )

    def _update(self, batch: Batch, target: Tensor, work: HelperWork | None) -> tuple[Tensor, Learnt]:
        """One gradient step. The helper takes the batch's tail. Returns the td errors [M] and what was seen."""
        if work is None:
            parts = [self._gradients(batch, target)]
        else:
            split = len(target) - int(len(target) * HELPER_SHARE)
            head, tail = Batch(*(c[:split] for c in batch)), Batch(*(c[split:] for c in batch))
            parts = work.beside(
                lambda: self._gradients(head, target[:split], len(target)),
                lambda: self._gradients(tail, target[split:], len(target)),
            )
        gradients = parts[0].gradients
        for part in parts[1:]:
            torch._foreach_add_(gradients, part.gradients)
        norm = self.optimiser.step(gradients, self._learning_rate(), self.config.max_grad_norm)
        if self.online is not self.weights:
            copy_weights(self.weights, self.online)
        self.updates += 1
        loss, value = (torch.stack(column).sum() for column in zip(*((p.loss, p.value) for p in parts), strict=True))
        return torch.cat([part.td_error for part in parts]), Learnt(loss, value, norm)

    def _gradients(self, batch: Batch, target: Tensor, count: int | None = None) -> Part:
        """The share that these rows have in the gradient of a mean over `count` rows."""
        count = count or len(target)
        obs = self.replay.observations(batch.row).to(self.device)
        q = self.online(obs).gather(1, torch.from_numpy(batch.action).to(self.device)[:, None]).squeeze(1)
        td_error = target.clone() - q
        each = losses.huber(td_error) if self.config.loss == "huber" else losses.squared(td_error)
        loss = (each * torch.from_numpy(batch.weight).to(self.device)).sum() / count
        gradients = [g.float() for g in torch.autograd.grad(loss, list(self.online.parameters()))]
        return Part(gradients, td_error.detach(), loss.detach(), q.detach().sum() / count)

    def _learning_rate(self) -> float:
        config = self.config
        if config.learning_rate_final is None:
            return config.learning_rate
        share = min(1.0, self.updates * config.train_freq / config.gradient_steps / config.learning_rate_steps)
        return config.learning_rate + share * (config.learning_rate_final - config.learning_rate)

    # What it has learned

    def policy(self) -> Policy:
        network = QNetwork(self.spec, self.shape).to(self.device)
        copy_weights(self.weights, network)
        return Greedy(network, self.device)

    def save(self) -> State:
        return {
            "precision": self.precision,
            "weights": _arrays(self.weights),
            "target": _arrays(self.target),
            "optimiser": self.optimiser.save(),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "learned_steps": self._learned_steps,
            "now": dict(zip(Step._fields, self._now, strict=True)),
            "episodes": self.episodes.save(),
            "replay": self.replay.save(),
            "env": self.env.save(),
        }

    def load(self, state: State) -> None:
        if state["precision"] != self.precision:
            self._build(state["precision"])
        _set_arrays(self.weights, state["weights"])
        _set_arrays(self.target, state["target"])
        copy_weights(self.weights, self.online)
        self.optimiser.load(state["optimiser"])
        self.env_steps = state["env_steps"]
        self.updates = state["updates"]
        self._learned_steps = state["learned_steps"]
        self._now = Step(**state["now"])
        self.episodes.load(state["episodes"])
        self.replay.load(state["replay"])
        self.env.load(state["env"])


class Greedy:
    """The action of the highest value."""

    def __init__(self, network: QNetwork, device: torch.device) -> None:
        self.network, self.device = network, device

    def act(self, obs: Array) -> Array:
        with torch.inference_mode():
            return self.network(torch.from_numpy(obs).to(self.device)).argmax(1).cpu().numpy()


def load_policy(config: Config, spec: EnvSpec, state: State, hardware: Hardware) -> Policy:
    """The policy of a saved state, without its environments and its memory."""
    torch.set_num_threads(hardware.threads)
    device = resolve(hardware.device)
    network = QNetwork(spec, network_shape(config, spec))
    _set_arrays(network, state["weights"])
    return Greedy(network.to(device), device)


def network_shape(config: Config, spec: EnvSpec) -> NetworkShape:
    """The network that these settings mean for these observations."""
    hidden = config.hidden
    if hidden is None:
        hidden = (512,) if spec.obs_dtype == "uint8" else (64, 64)
    convolutions = [Conv(*conv) for conv in config.convolutions]
    return NetworkShape(convolutions, config.padding, hidden, config.dueling, config.layer_norm)


def cost(config: Config, spec: EnvSpec) -> dict[str, int]:
    """What a run of these settings needs: parameters, bytes of replay memory, bytes of a checkpoint at most."""
    parameters = parameter_count(QNetwork(spec, network_shape(config, spec)))
    replay = replay_bytes(config.buffer_size, spec, config.n_step, config.prioritized)
    compression = 20 if spec.obs_dtype == "uint8" else 1  # real frames shrink 30- to 68-fold
    return {
        "parameters": parameters,
        "replay_bytes": replay,
        "checkpoint_bytes": 4 * 4 * parameters + replay // compression,
    }


def _mean(values: list[Tensor]) -> float:
    return float(torch.stack(values).mean())


def _arrays(network: QNetwork) -> dict[str, Any]:
    return {name: np.array(p.detach().float().cpu().numpy(), order="C") for name, p in network.named_parameters()}


def _set_arrays(network: QNetwork, arrays: Mapping[str, Array]) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))
