"""What makes slots hard, which suites tell methods apart, and what the referee's choices decide.

    python benchmarks/validity.py               # measures what is missing, then writes the page
    python benchmarks/validity.py --write       # writes docs/validity.md alone

results/validity/slots.jsonl has a row for every slot of three suites: the nodes that branch and
bound needs, and the excess of policies; referee.jsonl the costs of methods when the referee is
another. Features are read off the slots when the page is written. The tables of docs/validity.md
follow from these and from the study `worlds`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from contextlib import redirect_stdout
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from drl.training.policy import solve as play_policy
from minlp.branch_and_bound.solve import solve as branch_and_bound
from minlp.slot.interference_free import gains_at, server_costs
from satedge.bench.methods.table import find, load
from satedge.bench.report.whole import STUDY, scored_rows
from satedge.bench.score import stats
from satedge.bench.score.best_known import references
from satedge.bench.score.summary import by_seed
from satedge.bench.study import provenance
from satedge.bench.study.suites import load_suite
from satedge.problem.io.folder import write_atomically
from satedge.problem.referee import available, judge

ROOT = Path(__file__).parents[1]
FOLDER, PAGE = ROOT / "results" / "validity", ROOT / "docs" / "validity.md"

SUITES = ("slots", "slots-balanced", "contended")
GAP, BUDGET_S = 1e-3, 5.0
POLICIES = {"slots": ("adsac", "hybrid-ppo", "adsac+")}
SEEDS = range(3)
#: Added to excesses before their logarithm is taken.
FLOOR = 1e-3
#: Costs of two servers this close, relative, are a near-tie.
TIE = 0.02
FEATURES = {
    "load": "requests in the slot",
    "deepest fade": "least gain of a request to its best receiver, dB below the median request",
    "near-ties": f"requests whose second server costs at most {100 * TIE:g} % more, alone",
    "UAV in reach": "requests with a UAV that covers them and is accurate enough",
    "window": "least visibility left of a satellite that can be reached, s, logarithm",
}


def features(slot):
    """What a one-slot instance says by itself."""
    s, asked = slot.scenario, slot.active[0]
    open_to = available(slot, slot.uav_xy_m[None])[0][asked]
    away = slot.device_xy_m[:, :, None, :] - slot.uav_xy_m
    gains = gains_at(slot, np.hypot(away[..., 0], away[..., 1]))
    alone = np.where(open_to, server_costs(slot, gains).cost[0][asked], np.inf)
    two = np.sort(alone, axis=-1)[:, :2]
    tied = np.isfinite(two[:, 1]) & (two[:, 1] <= (1 + TIE) * two[:, 0])
    receivers = np.concatenate([gains[0], slot.satellite_gain[0][:, None]], axis=-1)[asked]
    reach = np.column_stack([open_to[:, : s.n_uavs], open_to[:, s.n_uavs :].any(axis=-1)])
    best = 10 * np.log10(np.where(reach, receivers, 1e-30).max(axis=-1))
    windows_s = slot.window_s[0][(slot.isl_hops[0] >= 0) & (slot.window_s[0] > 0)]
    return {
        "load": int(asked.sum()),
        "deepest fade": float(np.median(best) - best.min()) if asked.any() else 0.0,
        "near-ties": float(tied.mean()) if asked.any() else 0.0,
        "UAV in reach": float(open_to[:, : s.n_uavs].any(axis=-1).mean()) if asked.any() else 0.0,
        "window": float(np.log(windows_s.min())) if windows_s.size else 0.0,
    }


def measure_slots(path):
    """A row for every slot that has none."""
    rows, known = read(path), references()
    done = {r["instance"] for r in rows}
    for suite in SUITES:
        for slot in load_suite(suite):
            if slot.name in done:
                continue
            with redirect_stdout(None):
                found = branch_and_bound(slot, budget_s=BUDGET_S, seed=0, gap=GAP)
            best = known[slot.content_sha256].best.value
            rows.append(
                {
                    "suite": suite,
                    "instance": slot.name,
                    "episode": slot.seed,
                    "nodes": found.certificate.get("nodes"),
                    "gap": found.certificate.get("gap"),
                    "excess": excesses(slot, suite, best),
                    "commit": provenance.commit(),
                }
            )
            if len(rows) % 20 == 0:
                keep(path, rows)
        keep(path, rows)


def excesses(slot, suite, best):
    """Policy -> mean excess over its seeds on a slot, over the best known plan."""
    found = {}
    for name in POLICIES.get(suite, ()):
        plans = [play_policy(slot, policy=f"{name}/seed-{seed}").plan for seed in SEEDS]
        found[name] = float(np.mean([judge(slot, p).cost for p in plans]) / best - 1)
    return found


#: Referees: a name and what is other than in `paper`.
REFEREES = {
    "as it is": {},
    "penalty 10": {"deadline_penalty": 10.0},
    "penalty 1000": {"deadline_penalty": 1000.0},
    "interference within the tier": {"interference_scope": "tier"},
    "interference at the same server": {"interference_scope": "server"},
    "fading averaged over 8 slots": {},
}
RULED = ("myopic-exact", "local-search", "greedy", "inversion", "constant", "spread", "nearest")
EPISODES, SLOTS = 5, 20


def measure_referees(path):
    """Costs of methods under every referee, on the first slots of validation episodes."""
    rows = read(path)
    done = {(r["referee"], r["method"]) for r in rows}
    episodes = [e.window(0, SLOTS) for e in load_suite("paper-validation")[:EPISODES]]
    for referee, changes in REFEREES.items():
        worlds = [e.with_scenario(e.scenario.replace(**changes)) for e in episodes]
        if "fading" in referee:
            worlds = [averaged(w) for w in worlds]
        for method in RULED:
            if (referee, method) in done:
                continue
            solve, settings = load(find(method)), {}
            if method == "myopic-exact":
                settings = {"gap": 1e-3}
            plans = [solve(w, budget_s=np.inf, seed=0, **settings).plan for w in worlds]
            verdicts = [judge(w, p) for w, p in zip(worlds, plans, strict=True)]
            rows.append(
                {
                    "referee": referee,
                    "method": method,
                    "costs": [float(v.cost) for v in verdicts],
                    "missed": float(np.mean([v.missed.sum() / v.missed.size for v in verdicts])),
                    "commit": provenance.commit(),
                }
            )
            keep(path, rows)


def averaged(episode, slots=8):
    """The episode with every gain the mean of so many slots, its own and those that follow."""

    def mean(values):
        return np.mean([np.roll(values, -k, axis=0) for k in range(slots)], axis=0)

    return dataclasses.replace(
        episode,
        uav_fading=mean(episode.uav_fading),
        satellite_gain=mean(episode.satellite_gain),
    )


def read(path):
    """Rows of a file; none where there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path, rows):
    """Write all rows, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(f"{json.dumps(r)}\n" for r in rows).encode())


# --- tables


def regression(rows, response, draws=1000):
    """Feature -> change of a response for a standard deviation more of it, with its interval.

    Least squares on all features at once; whole episodes are drawn again, as their slots are alike.
    """
    x = np.array([[r["features"][f] for f in FEATURES] for r in rows], float)
    y = np.array([response(r) for r in rows])
    varies = x.std(axis=0) > 0
    x = np.column_stack(
        [np.ones(len(y)), (x[:, varies] - x[:, varies].mean(0)) / x[:, varies].std(0)]
    )
    groups = [
        np.flatnonzero([r["episode"] == e for r in rows]) for e in {r["episode"] for r in rows}
    ]
    rng = np.random.default_rng(0)
    found = [np.linalg.lstsq(x, y, rcond=None)[0]]
    for _ in range(draws):
        drawn = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        found.append(np.linalg.lstsq(x[drawn], y[drawn], rcond=None)[0])
    ends = np.percentile(found[1:], [2.5, 97.5], axis=0)
    explained = 1 - ((y - x @ found[0]) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    names = [f for f, kept in zip(FEATURES, varies, strict=True) if kept]
    told = zip(names, found[0][1:], ends[0][1:], ends[1][1:], strict=True)
    return {f: (b, low, high) for f, b, low, high in told}, float(explained)


def hardness_table(rows):
    """How many times as many nodes a standard deviation more of a feature costs."""
    columns = {s: [r for r in rows if r["suite"] == s and r["nodes"]] for s in SUITES}
    found = {
        s: regression(mine, lambda r: np.log(r["nodes"])) for s, mine in columns.items() if mine
    }
    nodes = [[r["nodes"] for r in columns[s]] for s in found]
    told = [f"{np.median(n):.0f}, {np.percentile(n, 95):.0f}" for n in nodes]
    return _factors("nodes", found, told)


def described(rows):
    """The rows with the features of their slots."""
    slots = {(suite, slot.name): slot for suite in SUITES for slot in load_suite(suite)}
    return [r | {"features": features(slots[r["suite"], r["instance"]])} for r in rows]


def excess_table(rows):
    """By what factor a standard deviation more of a feature lifts the excess of a policy."""
    names = POLICIES["slots"]
    mine = [r for r in rows if r["excess"]]
    found = {
        n: regression(mine, lambda r, n=n: np.log(FLOOR + max(r["excess"][n], 0.0)))
        for n in names
        if mine
    }
    excess = [[100 * r["excess"][n] for r in mine] for n in found]
    told = [f"{np.median(v):.2f} %, {np.percentile(v, 95):.0f} %" for v in excess]
    return _factors("excess", found, told)


def _factors(what, found, middles):
    """The regressions of a table, column by column, and the median and 95th percentile of each."""
    rows = {
        f"{f}: {doc}": [_factor(t.get(f)) for t, _ in found.values()] for f, doc in FEATURES.items()
    }
    rows["explained"] = [f"{100 * e:.0f} %" for _, e in found.values()]
    rows[f"{what}, median and 95th percentile"] = middles
    lines = [f"| {head} | {' | '.join(cells)} |" for head, cells in rows.items()]
    return _table(f"factor of {what} for a standard deviation more", found, lines)


def _factor(told):
    return "-" if told is None else "{:.2f} [{:.2f}, {:.2f}]".format(*np.exp(told))


def _table(head, columns, lines):
    top = f"| {head} | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns)
    return "\n".join([top, *lines])


def discrimination_table(folder):
    """Of every world: pairs of methods told apart, and episodes that a difference of 1 % takes."""
    scored = scored_rows(folder)
    lines = []
    for group, part in scored[scored["usable"] & ~scored["hindsight"]].groupby("group", sort=False):
        costs = {m: by_seed(rows).mean() for m, rows in part.groupby("method")}
        whole = max(len(c) for c in costs.values())
        costs = {m: c for m, c in costs.items() if len(c) == whole}
        pairs, needed = [], []
        for one, other in combinations(costs.values(), 2):
            both = one.index.intersection(other.index)
            found = stats.ratio_of_means(one[both].to_numpy()[None], other[both].to_numpy()[None])
            pairs.append(found.p)
            spread = (one[both] / one[both].mean() - other[both] / other[both].mean()).std()
            needed.append(((1.96 + 0.84) * spread / 0.01) ** 2)
        told = sum(p < 0.05 for p in stats.holm(pairs))
        spread = max(c.mean() for c in costs.values()) / min(c.mean() for c in costs.values())
        lines.append(
            f"| {group} | {whole} | {len(costs)} | {told} of {len(pairs)} | {spread:.2f} | "
            f"{np.median(needed):.0f} | {max(needed):.0f} |"
        )
    head = (
        "| world | episodes | methods | pairs told apart | greatest over least cost | "
        "episodes for 1 %, median pair | worst pair |\n| --- |" + " ---: |" * 6
    )
    return "\n".join([head, *lines])


def referee_table(rows):
    """Of every referee: excess of methods over the exact myopic plan, and whether ranks stay."""
    by = {ref: {r["method"]: np.mean(r["costs"]) for r in rows if r["referee"] == ref}
          for ref in REFEREES}  # fmt: skip
    by = {ref: costs for ref, costs in by.items() if len(costs) == len(RULED)}
    base = [by["as it is"][m] for m in RULED] if "as it is" in by else []
    lines = []
    for ref, costs in by.items():
        least = costs["myopic-exact"]
        cells = [f"{100 * (costs[m] / least - 1):.1f} %" for m in RULED[1:]]
        tau = kendalltau(base, [costs[m] for m in RULED]).statistic
        lines.append(f"| {ref} | {least:.3f} | " + " | ".join(cells) + f" | {tau:.2f} |")
    head = ("myopic-exact, cost", *RULED[1:], "rank correlation")
    return _table("referee", head, lines)


def tables():
    """Name -> Markdown, of what is measured."""
    found, slots = {}, read(FOLDER / "slots.jsonl")
    if slots:
        slots = described(slots)
        found |= {"hardness": hardness_table(slots), "excess": excess_table(slots)}
    if (ROOT / "results" / STUDY / "rows.parquet").exists():
        found["discrimination"] = discrimination_table(ROOT / "results" / STUDY)
    referees = read(FOLDER / "referee.jsonl")
    if referees:
        found["referee"] = referee_table(referees)
    return found


def filled(page):
    """The page with its tables written anew."""
    for name, text in tables().items():
        mark = rf"(<!-- {name}: written by benchmarks/validity.py -->\n).*?(\n<!-- end -->)"
        page = re.sub(mark, lambda m, t=text: f"{m[1]}\n{t}\n{m[2]}", page, flags=re.S)
    return page


def main():
    """Measure, then write."""
    if "--write" not in sys.argv:
        measure_slots(FOLDER / "slots.jsonl")
        measure_referees(FOLDER / "referee.jsonl")
    write_atomically(PAGE, filled(PAGE.read_text("utf-8")).encode())


if __name__ == "__main__":
    main()
