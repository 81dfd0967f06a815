"""What methods do, as tables: who serves, at what powers, how far UAVs fly, which are constant."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.tables import Column, Table
from satedge.bench.run.store import Store
from satedge.bench.score.behaviour import Behaviour, behaviours
from satedge.bench.score.summary import Line, by_comparison, label

COLUMNS = (
    Column("method"),
    Column("to UAVs", "%", ".1f", key="by_uavs"),
    Column("to satellites", "%", ".1f", key="by_satellites"),
    Column("refused", "%", ".1f", key="refused"),
    Column("to each server %", key="servers_percent"),
    Column("powers vary", "dB", ".2f", key="power_spread_dB"),
    Column("flown", "m", ".1f", key="flown_m"),
    Column("moves vary", "m", ".1f", key="flight_spread_m"),
    Column("against an order", "%", ".1f", key="against_order"),
    Column("seeds agree", "%", ".1f", key="agreement"),
    Column("constant", key="constant"),
    Column("plans", form=".0f", key="plans"),
)

CAPTION = (
    "Read off the stored plans that count. Shares are of all requests; servers are UAVs first. "
    "Powers vary: standard deviation over time of a device's powers within an episode, mean of "
    "devices. Flown: per UAV and slot. Moves vary: standard deviation over time of a UAV's moves "
    "that the border does not end. Against an order: choices of servers that no fixed order of "
    "preference of the device explains, at least. Seeds agree: requests that two seeds send to the "
    "same server. A method is constant if powers and orders hardly change, whatever it sees, nor "
    "moves of UAVs that serve anybody."
)


def behaviour_tables(store: Store, scored: pd.DataFrame, lines: Sequence[Line]) -> list[Table]:
    """A table for each group in which somebody has plans."""
    found = behaviours(store, scored, lines)
    tables = []
    for group, part in by_comparison(lines):
        rows = [
            _row(label(line, part), found[place])
            for place, line in enumerate(lines)
            if line.group == group and place in found
        ]
        if rows:
            name = f"behaviour-{group}"
            tables.append(Table(COLUMNS, rows, f"{group}: behaviour", CAPTION, name))
    return tables


def _row(method: str, b: Behaviour) -> tuple[str | float, ...]:
    servers = " ".join(f"{100 * share:.0f}" for share in b.servers)
    figures = (b.power_spread_dB, b.flown_m, b.flight_spread_m, b.against_order, b.agreement)
    shares = (b.by_uavs, b.by_satellites, b.refused)
    return (method, *shares, servers, *figures, "constant" if b.constant else "", float(b.plans))
