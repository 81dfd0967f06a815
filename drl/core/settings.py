"""Settings of the learners: frozen, each with its source, "open" where the paper leaves it out."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


class SettingsError(ValueError):
    """A setting is unknown or out of range; the message says which and what is allowed."""


def _require(name: str, value: object, fine: bool, allowed: str) -> None:
    if not fine:
        raise SettingsError(f"{name} = {value!r}: allowed is {allowed}")


def _of_type(value: object, kind: type) -> tuple[bool, str]:
    """Is a value of the type of a field's default; and what is allowed."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is bool:
        return isinstance(value, bool), "true or false"
    if kind is int:
        return whole, "a whole number"
    if kind is float:
        return whole or (isinstance(value, float) and not math.isnan(value)), "a number"
    if kind is tuple:
        fine = isinstance(value, tuple) and all(type(x) is int for x in value)
        return fine, "a list of whole numbers, such as [256, 256]"
    return isinstance(value, kind), "a text"


@dataclass(frozen=True)
class Settings:
    """What all learners share; defaults from Table 2."""

    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the fully connected ReLU layers. Table 2."""
    actor_rate: float = 1e-3
    """Adam's rate for policies. Table 2."""
    critic_rate: float = 1e-3
    """Adam's rate for critics. Table 2."""
    gamma: float = 0.995
    """Discount. Table 2."""
    batch: int = 64
    """Transitions of an update. Table 2."""
    buffer: int = 10_000
    """Transitions kept for replay. Table 2."""
    tau: float = 0.01
    """Polyak's step of target networks. Table 2."""
    centre: bool = True
    """Take the mean reward off every reward, which leaves the order of policies as it is. Open."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _require(field.name, value, *_of_type(value, type(field.default)))
        for name in ("actor_rate", "critic_rate", "batch", "buffer", "tau"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "more than 0")
        _require("gamma", self.gamma, 0 <= self.gamma < 1, "0 up to below 1")
        widths = bool(self.hidden) and all(w >= 1 for w in self.hidden)
        _require("hidden", self.hidden, widths, "at least one width, each at least 1")

    def replace(self, **changes: Any) -> Settings:
        """A copy with some fields changed. Raises SettingsError for an unknown name."""
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            _require(name, changes[name], name in known, f"one of {', '.join(known)}")
        lists = {k: tuple(v) for k, v in changes.items() if isinstance(v, list)}
        return dataclasses.replace(self, **{**changes, **lists})

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """The inverse of `to_dict`."""
        return cls().replace(**values)


@dataclass(frozen=True)
class CostSettings(Settings):
    """How costs become rewards where the reward (34) is not what is learned."""

    cost_scale: float = 20.0
    """Cost that counts as 1; about a device's cost of computing. Open."""
    cost_cap: float = 200.0
    """Costs of a device above it count as much: a late upload can cost anything. Open."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("cost_scale", "cost_cap"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "more than 0")


@dataclass(frozen=True)
class AdSacSettings(CostSettings):
    """AD-SAC, section 4. Every ingredient can be switched off."""

    layout: str = "hybrid"
    """"hybrid" is AD-SAC, "discrete" AD-SAC-D, "continuous" AD-SAC-C."""
    entropy_rate: float = 1e-3
    """Adam's rate for the temperatures. Table 2."""
    reward: str = "inverse"
    """"inverse" is (34); "cost" minus the mean of the devices' capped costs."""
    automatic_temperature: bool = True
    """Tune the temperatures to the entropy targets; else keep them."""
    temperature: float = 0.02
    """First temperature of both agents. Open; rewards here are of order 1."""
    discrete_entropy: float = 0.3
    """Entropy target of a head as a share of log n, n its available options. Open."""
    continuous_entropy: float = -1.0
    """Entropy target of a number in [-1, 1], in nats. Open; -1 is the habit of continuous SAC."""
    relaxation: float = 1.0
    """Temperature of the Gumbel-softmax relaxation. Open."""
    synthetic: float = 0.1
    """Synthetic transitions a slot for an unavailable server, algorithm 1 line 6; 0 is off. Open:
    with one a slot, half the rewards in the replay are 0 and mu learns to shun the servers that
    are often unavailable, which are the cheap ones (docs/learning.md)."""
    mpo: bool = True
    """The maximum a posteriori step, (51)-(55)."""
    mpo_actions: int = 16
    """Joint actions drawn a state. Open."""
    mpo_precision: str = "float32"
    """Of the products that value these actions: "float32" or "bfloat16"; sums are float32. Open."""
    mpo_bound: float = 0.1
    """KL bound of the reweighted from the current policy, (52), nats. Open."""
    mpo_discrete_bound: float = 0.005
    """chi_mu of (54), nats for all heads together. Open."""
    mpo_continuous_bound: float = 0.005
    """chi_nu of (55), nats for all numbers together. Open."""
    mpo_multiplier: float = 10.0
    """First Lagrange multiplier of both policies' bounds. Open."""
    mpo_rate: float = 1e-4
    """Adam's rate of the weighted-likelihood step. Open; at the policies' own rate this step,
    which knows no entropy, drives nu into the corners of its range."""
    mpo_dual_rate: float = 1e-2
    """Adam's rate for eta and the multipliers. Open."""

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = ("hybrid", "discrete", "continuous")
        _require("layout", self.layout, self.layout in kinds, f"one of {', '.join(kinds)}")
        precisions = ("float32", "bfloat16")
        fine = self.mpo_precision in precisions
        _require("mpo_precision", self.mpo_precision, fine, f"one of {', '.join(precisions)}")
        for name in ("temperature", "relaxation", "mpo_actions", "mpo_bound"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "more than 0")
        share = self.discrete_entropy
        _require("discrete_entropy", share, 0 <= share <= 1, "0 to 1")
        _require("synthetic", self.synthetic, self.synthetic >= 0, "0 or more")
        rewards = ("inverse", "cost")
        _require("reward", self.reward, self.reward in rewards, f"one of {', '.join(rewards)}")
        # Algorithm 1 gives unavailable choices reward 0, the worst of (34) and the best of costs.
        fine = self.reward == "inverse" or self.synthetic == 0
        _require("synthetic", self.synthetic, fine, 'only 0 with reward "cost"')


@dataclass(frozen=True)
class AdSacPlusSettings(CostSettings):
    """AD-SAC+, the two agents of AD-SAC with what this problem needs: drl.agents.ad_sac_plus."""

    hidden: tuple[int, ...] = (128, 128)
    """Widths of the layers that all devices share. Open."""
    gamma: float = 0.0
    """Discount; slots couple through UAV motion only. Open."""
    device_costs: bool = True
    """Learn each device's own cost; else the reward (34), the same for all devices."""
    own_mean: bool = True
    """mu's gradient is the exact mean over a device's own options; else that of one draw."""
    motion_first: bool = True
    """mu chooses among the servers that stay in reach once nu has moved the UAVs."""
    entropy_rate: float = 1e-3
    """Adam's rate for the temperatures. Table 2."""
    temperature: float = 0.05
    """First temperature of both agents. Open."""
    discrete_entropy: float = 0.2
    """Entropy target of a head as a share of log n, n its available options. Open."""
    continuous_entropy: float = -1.0
    """Entropy target of a number in [-1, 1], in nats. Open."""


@dataclass(frozen=True)
class DdpgSettings(Settings):
    """DDPG, Lillicrap et al. 2016, on scores of servers."""

    actor_rate: float = 1e-4
    """Lillicrap et al. 2016; at Table 2's 1e-3 its tanh saturates within ten epochs here."""
    noise: float = 0.2
    """Standard deviation of the Gaussian noise added while exploring. Open."""


@dataclass(frozen=True)
class D3qnSettings(Settings):
    """Branching dueling double Q-network, Tavakoli et al. 2018."""

    epsilon_start: float = 1.0
    """Share of branches that act at random in the first slot. Open."""
    epsilon_end: float = 0.02
    """The share after `epsilon_slots`. Open."""
    epsilon_slots: int = 20_000
    """Slots over which the share falls linearly. Open."""


@dataclass(frozen=True)
class PpoSettings(Settings):
    """PPO, Schulman et al. 2017; with `hybrid` categorical and Gaussian heads on one trunk."""

    hybrid: bool = False
    """Hybrid-PPO; else scores of servers."""
    actor_rate: float = 3e-4
    """Of the policy; Schulman et al. 2017 for continuous control."""
    critic_rate: float = 3e-4
    """Of the value network; likewise."""
    rollout_epochs: int = 10
    """Episodes of 100 slots between updates. Open."""
    passes: int = 10
    """Passes over them. Open."""
    clip: float = 0.2
    """Clip of the probability ratio. Schulman et al. 2017."""
    gae_lambda: float = 0.95
    """Of generalised advantage estimation, Schulman et al. 2016."""
    entropy_bonus: float = 0.0
    """Weight of the entropy in the loss. Open."""
    value_weight: float = 0.5
    """Weight of the value loss. Open."""
    gradient_limit: float = 0.5
    """Greatest norm of a run's gradient. Open."""
    log_std: float = -0.5
    """First log standard deviation of the Gaussian, the same in all states. Open."""


#: Changes against Table 2, by name.
PRESETS: dict[str, dict[str, Any]] = {
    "table-2": {},
    "section-5.1": {"actor_rate": 3e-4, "critic_rate": 3e-4, "batch": 128},
}

METHODS: dict[str, Settings] = {
    "adsac": AdSacSettings(),
    "adsac-d": AdSacSettings(layout="discrete"),
    "adsac-c": AdSacSettings(layout="continuous"),
    "adsac+": AdSacPlusSettings(),
    "ddpg": DdpgSettings(),
    "d3qn": D3qnSettings(),
    "ppo": PpoSettings(),
    "hybrid-ppo": PpoSettings(hybrid=True),
}


def settings_of(method: str, preset: str = "table-2", **changes: Any) -> Settings:
    """Settings of a method under a preset, with some fields changed. Raises SettingsError."""
    _require("method", method, method in METHODS, f"one of {', '.join(METHODS)}")
    _require("preset", preset, preset in PRESETS, f"one of {', '.join(PRESETS)}")
    return METHODS[method].replace(**{**PRESETS[preset], **changes})
