"""P1 with deadlines as constraints: in what share of slots a punctual plan exists, and why not."""

from __future__ import annotations

from collections import Counter

from satedge.bench.report.supplementary import Extra
from satedge.bench.run.rows import Rows
from satedge.bench.run.store import Store

#: What a method's certificate of infeasibility is called.
INFEASIBLE = "infeasible"

#: Causes, in the order in which they are told.
CAUSES = ("unservable", "execution", "power", "interference")


def punctual_tables(store: Store, rows: Rows) -> list[Extra]:
    """One line a part and method that proved some slot infeasible, or was asked to."""
    found: dict[tuple[str, str], Counter[str]] = {}
    names = ("group", "method", "settings", "method_status", "key", "status")
    for i, (group, method, settings, ended, key, status) in enumerate(
        zip(*(rows.text(n) for n in names), strict=True)
    ):
        if status == "skipped" or '"hard": true' not in settings:
            continue
        counts = found.setdefault((group, method), Counter())
        counts["slots"] += 1
        if ended == INFEASIBLE:
            counts[str(store.read(key)["certificate"].get("cause", "unknown"))] += 1
        else:
            counts["punctual" if rows["feasible"][i] else "open"] += 1
    if not found:
        return []
    causes = [*CAUSES, *sorted({c for v in found.values() for c in v} - {*CAUSES, *_OTHERS})]
    heads = ("part", "method", "slots", "punctual plan", *causes, "open")
    counted = ("slots", "punctual", *causes, "open")
    lines: list[tuple[str | float, ...]] = [
        (*who, *(float(counts[c]) for c in counted)) for who, counts in found.items()
    ]
    return [
        Extra(
            "punctual",
            "P1 with deadlines as constraints",
            "Slots with a punctual plan; slots proved to have none, under the cause: no server for "
            "a request, execution or window leave no time, full power without interference is too "
            "slow, or interference; and slots left open within the budget.",
            heads,
            tuple(lines),
        )
    ]


_OTHERS = ("slots", "punctual", "open")
