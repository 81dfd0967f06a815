"""P1 with hard deadlines: in how many slots a plan meets all of them, and why not in others."""

from __future__ import annotations

import pandas as pd

from satedge.bench.report.tables import Column, Table
from satedge.bench.run.store import Store

#: What a method's certificate of infeasibility is called.
INFEASIBLE = "infeasible"

#: Causes, in the order in which they are told.
CAUSES = ("unservable", "execution", "power", "interference")


def hard_deadline_tables(store: Store, rows: pd.DataFrame) -> list[Table]:
    """One line a part and method that proved some slot infeasible, or was asked to."""
    hard = rows[rows["settings"].str.contains('"hard": true') & (rows["status"] != "skipped")]
    if hard.empty:
        return []
    ended = hard["feasible"].map({True: "all met", False: "open"})
    proved = hard["method_status"] == INFEASIBLE
    ended[proved] = [_cause(store, key) for key in hard["key"][proved]]
    counts = ended.groupby([hard["group"], hard["method"]], sort=False).value_counts().unstack()
    others = sorted(set(counts) - {"all met", "open", *CAUSES})
    shown = ["all met", *CAUSES, *others, "open"]
    counts = counts.reindex(columns=shown).fillna(0.0)
    counts.insert(0, "slots", counts.sum(axis=1))
    columns = [Column("part"), Column("method"), *(Column(head, form=".4g") for head in counts)]
    return [
        Table(
            columns,
            list(counts.reset_index().itertuples(index=False, name=None)),
            "P1 with hard deadlines",
            "Slots with a plan that meets all deadlines; slots proved to have none, under the "
            "cause: no server for a request, execution or window leave no time, full power without "
            "interference is too slow, or interference; and slots left open within the budget.",
            "hard-deadlines",
        )
    ]


def _cause(store: Store, key: str) -> str:
    return str(store.read(key)["certificate"].get("cause", "unknown"))
