"""What DQN learns: what the values of the actions it drew are to become, and how far they are from it.

    Q(s, a) <- reward + discount * max_a' Q_target(s', a')

The mathematics is in `deep.losses`; this chooses by the settings.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from rltrain.algos._dqn_config import DqnConfig
from rltrain.deep import losses
from rltrain.deep.histogram import Bins, histogram, projected
from rltrain.deep.learner import Samples
from rltrain.deep.masks import masked
from rltrain.deep.networks import QNetwork
from rltrain.deep.transitions import Transitions


def td_target(config: DqnConfig, target: QNetwork, actor: QNetwork, drawn: Transitions) -> Tensor:
    """What the values of M actions are to become: reward + discount max_a Q_target(next_obs, a). [M]

    Of values that are learned as distributions: quantiles of theirs, or histograms, [M, B]. No gradient goes through
    it. `actor`: the weights of the round's start, which choose the action for Double DQN.
    """
    reward, discount, next_obs = drawn.reward, drawn.discount, drawn.next_obs()
    noise = drawn.noise_of(next=True)
    outputs = target.outputs(target.hidden(next_obs), noise=noise)  # [M, A, B]
    q_next = masked(target.means(outputs), drawn.next_mask)  # [M, A]
    if config.munchausen:
        rule = {"alpha": config.munchausen_alpha, "tau": config.munchausen_tau, "clip": config.munchausen_clip}
        q = masked(target.of_prepared(drawn.obs()), drawn.mask)
        found = losses.munchausen_target(reward, discount, q_next, q, drawn.action, **rule)
        if config.loss not in ("quantile", "iqn"):
            return found
        return found[:, None] + discount[:, None] * losses.around_mean(outputs, q_next, config.munchausen_tau)
    q_select = masked(actor.of_prepared(next_obs), drawn.next_mask) if config.double else q_next
    transform = config.value_transform == "sqrt"
    if config.loss not in ("c51", "quantile", "iqn"):
        return losses.q_target(reward, discount, q_next, q_select, transform=transform, epsilon=config.target_epsilon)
    chosen = losses.of_actions(outputs, q_select.argmax(1))  # [M, B]
    if config.loss != "c51":
        return losses.next_values(reward, discount, chosen, transform=transform)
    values = losses.next_values(reward, discount, target.centres.expand_as(chosen), transform=transform)
    return projected(chosen.softmax(1), values, target.centres)


def loss(config: DqnConfig, network: QNetwork, outputs: Tensor, samples: Samples) -> losses.Loss:
    """Huber's function of the TD errors, their squares, or a distance of distributions. outputs [M, A, 1 or B]."""
    _, action, target, weight, levels, _ = samples
    if config.loss == "c51":
        return losses.categorical(outputs, action, target, weight, centres=network.centres)
    if config.loss in ("quantile", "iqn"):
        delta = config.huber_delta
        own = levels if config.loss == "iqn" and levels is not None else network.levels
        return losses.quantile_regression(outputs, action, target, weight, levels=own, delta=delta)
    if isinstance(network.spread, Bins):
        shares = histogram(target, network.edges, network.spread.sigma * network.spread.width)
        return losses.cross_entropy(outputs, action, shares, target, weight, centres=network.centres)
    each = partial(losses.huber, delta=config.huber_delta) if config.loss == "huber" else losses.squared
    return losses.regression(outputs, action, target, weight, each)
