"""What the settings of all learners share; each learner's own stand in its file."""

from __future__ import annotations

from typing import Any

from satedge.problem.fields import Declared, Widths, declared, param


class SettingsError(ValueError):
    """A setting is unknown or out of range; the message says which and what is allowed."""


@declared(SettingsError, "setting")
class Settings(Declared):
    """What all learners share; defaults from Table 2."""

    hidden: Widths = param(
        (256, 256, 256), "-", "Table 2", "Widths of the fully connected ReLU layers."
    )
    actor_rate: float = param(1e-3, "-", "Table 2", "Adam's rate for policies.", above=0)
    critic_rate: float = param(1e-3, "-", "Table 2", "Adam's rate for critics.", above=0)
    gamma: float = param(0.995, "-", "Table 2", "Discount.", low=0, below=1)
    batch: int = param(64, "-", "Table 2", "Transitions of an update.", low=1, high=65_536)
    buffer: int = param(10_000, "-", "Table 2", "Transitions kept for replay.", low=1, high=10**8)
    tau: float = param(0.01, "-", "Table 2", "Polyak's step of target networks.", above=0, high=1)
    centre: bool = param(
        True,
        "-",
        "open",
        "Take the mean reward off every reward, which leaves the order of policies as it is.",
    )
    exogenous: bool = param(
        False,
        "-",
        "Mao et al. 2019, Dietterich et al. 2018",
        "Take off targets what the part of the next state that no action changes explains of its "
        "value (drl.core.baseline).",
    )


@declared(SettingsError, "setting")
class CostSettings(Settings):
    """How costs become rewards where the reward (34) is not what is learned."""

    cost_scale: float = param(
        20.0, "-", "open", "Cost that counts as 1; about a device's cost of computing.", above=0
    )
    cost_cap: float = param(
        200.0,
        "-",
        "open",
        "Costs of a device above it count as much; it binds only where a refusal costs more.",
        above=0,
    )


#: Changes against Table 2, by name.
PRESETS: dict[str, dict[str, Any]] = {
    "table-2": {},
    "section-5.1": {"actor_rate": 3e-4, "critic_rate": 3e-4, "batch": 128},
}
