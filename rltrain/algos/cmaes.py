"""CMA-ES: an evolution strategy that learns which way to vary.

    x_k ~ m + sigma N(0, C)                                                       (Hansen 2016, eqs. 38 to 40)
    m <- m + sum_i w_i (x_i:n - m)                                                (41, 42)
    p_s <- (1 - c_s) p_s + √(c_s (2 - c_s) mu) C^-1/2 y_w                         (43)
    sigma <- sigma exp(c_s / d_s (|p_s| / E|N(0, I)| - 1))                        (44)
    C <- (1 + ...) C + c_1 p_c p_c' + c_mu sum_i w_i y_i y_i'                     (45 to 47)

Weights, negative ones too, and rates are the tutorial's defaults (N. Hansen, The CMA Evolution Strategy: A Tutorial,
arXiv:1604.00772v2, table 1). Space is measured by each parameter's half range, from the middle: there the search
begins. What is bounded is brought inside, and the update sees it there. Of equal scores each gets the mean weight.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from rltrain.core import AlgorithmPlugin, Array, Env, EnvSpec, Hardware, Metrics, State
from rltrain.errors import InputError
from rltrain.experiment.settings import STRICT
from rltrain.policies import choosing, generations, trials, whole_games
from rltrain.policies.generations import Generations, computation, family_for, load_policy, summary_lines, warm_start
from rltrain.policies.parameters import Parameters
from rltrain.rng import Streams
from rltrain.saved import Saved

TINY, HUGE = 1e-100, 1e100  # of a saved search: beyond, squares are no numbers
MOST_PARAMETERS = 2_000  # beyond, the eigenvectors of C take seconds a generation


class CmaesConfig(BaseModel):
    """Where the search begins, and how widely."""

    model_config = STRICT

    policy: choosing.Policy = None
    hidden: choosing.Hidden = (8,)
    activation: choosing.Act = "tanh"
    ranges: choosing.Ranges = {}
    population: int | None = Field(
        None, ge=4, le=100_000, description="samples in a generation; null: 4 + 3 ln(parameters), for noiseless scores"
    )
    sigma: float = Field(0.5, gt=0, le=10, description="standard deviation at the start, in halves of the ranges")
    games: int = Field(5, ge=1, le=10_000, description="whole games of each sample; its score is their mean")
    same_starts: bool = Field(False, description=trials.SAME_STARTS)
    recheck: int = Field(
        50, ge=1, le=100_000, description="fresh games in which the mean and the best must prove themselves"
    )


class Rates(NamedTuple):
    """Weights and learning rates, as in table 1 of the tutorial."""

    weights: Array  # [n], best first: positive ones sum to 1
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float  # E|N(0, I)|


class Search(NamedTuple):
    """The normal distribution N(mean, sigma² C), and the paths by which sigma and C are adapted."""

    mean: Array  # [P]
    sigma: float
    covariance: Array  # [P, P]
    path_sigma: Array  # [P]
    path_c: Array  # [P]


class CMAES:
    """A `Strategy`: a normal distribution whose mean, size and shape follow the best of its samples."""

    counter, purpose, done = "generations", "generation", False

    def __init__(self, config: CmaesConfig, parameters: Parameters, stream: np.random.Generator) -> None:
        self._parameters, self._stream = parameters, stream
        size = len(parameters)
        self.rates = rates(size, config.population or default_population(size))
        self.search = Search(np.zeros(size), float(config.sigma), np.eye(size), np.zeros(size), np.zeros(size))
        self.count = 0

    def start_from(self, candidate: Array) -> None:
        self.search = self.search._replace(mean=self._parameters.halves(candidate))

    def ask(self) -> Array:
        noise = self._stream.standard_normal((len(self.rates.weights), len(self._parameters)))
        return self._parameters.inside(self._parameters.at(sample(self.search, noise)))

    def tell(self, candidates: Array, scores: Array) -> tuple[Array, Metrics]:
        self.count += 1
        self.search = update(self.search, self.rates, self._parameters.halves(candidates), scores, self.count)
        mean = self._parameters.inside(self._parameters.at(self.search.mean))
        return np.array([mean, candidates[scores.argmax()]]), {"sigma": self.search.sigma}

    def save(self) -> State:
        return {"search": self.search._asdict(), "generations": self.count}

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        search, own = saved.part("search"), self.search
        self.search = Search(
            mean=search.like("mean", own.mean),
            sigma=search.number("sigma", TINY, HUGE),
            covariance=search.like("covariance", own.covariance, -HUGE, HUGE),
            path_sigma=search.like("path_sigma", own.path_sigma, -HUGE, HUGE),
            path_c=search.like("path_c", own.path_c, -HUGE, HUGE),
        )
        self.count = saved.integer("generations")


def make(config: CmaesConfig, env: Env, rng: Streams, hardware: Hardware) -> Generations:
    family = family_for(config, env.spec)
    cost(config, env.spec)  # refuses too many parameters
    strategy = CMAES(config, family.parameters, rng.numpy("sample"))
    return Generations(config, family, env, rng.seed, strategy)


def default_population(size: int) -> int:
    """Samples in a generation for so many parameters, equation 48."""
    return 4 + math.floor(3 * math.log(size))


def rates(size: int, population: int) -> Rates:
    """Weights and learning rates for P parameters and n samples, equations 49 to 58."""
    raw = math.log((population + 1) / 2) - np.log(np.arange(1, population + 1))
    up, down = raw[raw > 0], raw[raw <= 0]
    mu_eff = up.sum() ** 2 / (up**2).sum()
    mu_eff_down = down.sum() ** 2 / (down**2).sum()
    c_1 = 2 / ((size + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((size + 2) ** 2 + mu_eff))
    least = min(1 + c_1 / c_mu, 1 + 2 * mu_eff_down / (mu_eff + 2), (1 - c_1 - c_mu) / (size * c_mu))
    c_sigma = (mu_eff + 2) / (size + mu_eff + 5)
    return Rates(
        weights=np.concatenate([up / up.sum(), max(0.0, least) * down / -down.sum()]),
        mu_eff=float(mu_eff),
        c_sigma=float(c_sigma),
        d_sigma=float(1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (size + 1)) - 1) + c_sigma),
        c_c=float((4 + mu_eff / size) / (size + 4 + 2 * mu_eff / size)),
        c_1=float(c_1),
        c_mu=float(c_mu),
        chi=math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2)),
    )


def sample(search: Search, noise: Array) -> Array:
    """Samples [n, P] of the distribution, from standard normal noise [n, P]."""
    scale, axes = _axes(search.covariance)
    return search.mean + search.sigma * (noise * scale) @ axes.T


def update(search: Search, rates: Rates, samples: Array, scores: Array, generation: int) -> Search:
    """The search after a generation, counted from 1, of samples [n, P] with scores [n], more being better."""
    if scores.max() == scores.min():
        return search  # nothing was learned: which came first is no reason to move
    mean, sigma, covariance, path_sigma, path_c = search
    size = len(mean)
    scale, axes = _axes(covariance)
    weights = _tied(rates.weights, scores)  # [n]
    y = (samples - mean) / sigma
    whitened = (y @ axes / scale) @ axes.T  # C^-1/2 y
    up = np.maximum(weights, 0)
    step = up @ y
    path_sigma = (1 - rates.c_sigma) * path_sigma + math.sqrt(rates.c_sigma * (2 - rates.c_sigma) * rates.mu_eff) * (
        up @ whitened
    )
    length = float(np.linalg.norm(path_sigma))
    usual = math.sqrt(1 - (1 - rates.c_sigma) ** (2 * generation)) * (1.4 + 2 / (size + 1)) * rates.chi
    calm = float(length < usual)  # h_sigma: a long path says that sigma is too small, and C waits for it
    path_c = (1 - rates.c_c) * path_c + calm * math.sqrt(rates.c_c * (2 - rates.c_c) * rates.mu_eff) * step
    lengths = (whitened**2).sum(axis=1)  # [n]
    signed = np.where(weights >= 0, weights, weights * size / np.maximum(lengths, 1e-12))  # eq. 46: C stays positive
    missing = (1 - calm) * rates.c_c * (2 - rates.c_c)
    covariance = (
        (1 + rates.c_1 * missing - rates.c_1 - rates.c_mu * weights.sum()) * covariance
        + rates.c_1 * np.outer(path_c, path_c)
        + rates.c_mu * (signed * y.T) @ y
    )
    sigma *= math.exp(min(1.0, rates.c_sigma / rates.d_sigma * (length / rates.chi - 1)))
    return Search(mean + search.sigma * step, sigma, (covariance + covariance.T) / 2, path_sigma, path_c)


def _axes(covariance: Array) -> tuple[Array, Array]:
    """C = B D² B': the lengths D [P] and directions B [P, P], as columns."""
    values, axes = np.linalg.eigh(covariance)
    return np.sqrt(np.maximum(values, 1e-20)), axes


def _tied(weights: Array, scores: Array) -> Array:
    """[n] each sample's weight by its rank; equal scores share theirs."""
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    order = np.argsort(-scores, kind="stable")
    shared = np.zeros(len(sizes))
    np.add.at(shared, group[order], weights)
    return shared[group] / sizes[group]


def cost(config: CmaesConfig, spec: EnvSpec) -> dict[str, int]:
    """The parameters that a run looks for. InputError for more than a matrix of their covariances can have."""
    needed = generations.cost(config, spec)
    if needed["parameters"] > MOST_PARAMETERS:
        raise InputError(
            f"algorithm.policy: {needed['parameters']:,} parameters are too many for a matrix of their covariances;"
            f" at most {MOST_PARAMETERS:,}. genetic and openai_es have no such limit"
        )
    return needed


PLUGIN = AlgorithmPlugin(
    config=CmaesConfig,
    make=make,
    images=False,
    budget={"generations": 100},
    num_envs=100,
    actions=("discrete", "multi_discrete", "continuous"),
    cost=cost,
    doubts=whole_games.doubts,
    load_policy=load_policy,
    computation=computation,
    warm_start=warm_start,
    summary_lines=summary_lines,
)
