"""What all committed studies say together: the headline, and the paper's statements; in README too.

README holds what follows from tables between marks; `fill` writes it anew, and tests compare, so
that no number there is typed.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from satedge.bench.report.comparison import claim_parts, claims_table
from satedge.bench.report.headline import CAPTION, headline_table
from satedge.bench.report.tables import Table, csv, markdown
from satedge.bench.run.rows import read_parquet
from satedge.bench.score.claims.evidence import (
    CONTRADICTED,
    FITTED,
    INCONCLUSIVE,
    NOT_EXAMINED,
    REPRODUCED,
)
from satedge.bench.score.claims.paper import Claim, claims, of_all
from satedge.bench.score.contrasts import contrasts
from satedge.bench.score.headline import STORED, Standing, World, standings, worlds_of
from satedge.bench.score.played import FIXED_RULES
from satedge.bench.score.score import score
from satedge.bench.score.summary import LEARNED
from satedge.bench.score.training_logs import trainings
from satedge.bench.study.final import read_final
from satedge.drawing import style
from satedge.problem.io.folder import write_atomically

#: The study of the headline until held-out suites are played, and their folder.
STUDY, HELD_OUT = "paper/worlds", "held-out"

#: Worlds on development episodes: the best known plans of the suite as reference, where it has
#: them for all, else a method; and the cheapest fixed rule.
WORLDS = (
    World("paper", STUDY, "paper", STORED, "inversion"),
    World("contended", STUDY, "contended", "myopic-exact", "spread"),
    World("foresight", STUDY, "foresight", STORED, "inversion"),
)

VERDICTS = (REPRODUCED, CONTRADICTED, INCONCLUSIVE, FITTED, NOT_EXAMINED)

#: Columns of the headline that README shows.
_SHOWN = (
    "world", "method", "controllable_excess", "controllable_interval", "excess", "gap", "slot_ms",
    "deadline_misses", "refused",
)  # fmt: skip


def scored_rows(folder: Path) -> pd.DataFrame:
    """The committed rows of a study with their scores."""
    return score(read_parquet(folder / "rows.parquet"))


@cache
def headline(results: Path) -> tuple[Standing, ...]:
    """Of held-out suites once they are played, until then of development episodes."""
    found = _held_out(results) or WORLDS
    folder = results / found[0].folder
    if not (folder / "rows.parquet").is_file():
        return ()
    scored = scored_rows(folder)
    return tuple(s for world in found for s in standings(scored, world))


def _held_out(results: Path) -> Sequence[World]:
    folder = results / HELD_OUT
    if not (folder / "rows.parquet").is_file():
        return ()
    final = read_final(folder / "rules.toml")
    parts = [part.name for part in final.study.parts]
    return worlds_of(HELD_OUT, final.table.reference, final.table.rule, parts)


@cache
def stated(results: Path) -> tuple[Claim, ...]:
    """Every statement of the paper, from all committed studies."""
    return tuple(of_all(_of_studies(results / "paper")))


def _of_studies(published: Path) -> Iterator[list[Claim]]:
    for table in sorted(published.glob("*/rows.parquet")):
        scored = scored_rows(table.parent)
        yield claims(scored, trainings(scored), table.parent.name)


def texts(results: Path) -> dict[Path, str]:
    """What stands in results/paper/claims.md and .csv, and in headline.md and .csv."""
    told, found = list(stated(results)), headline(results)
    tables = [(claims_table(told), claim_parts(told))]
    if found:
        standing = headline_table(found)
        tables.append((standing, standing))
    written = {}
    for shown, numbers in tables:
        place = results / "paper" / shown.name
        written[place.with_suffix(".md")] = markdown([shown])
        written[place.with_suffix(".csv")] = csv(numbers)
    return written


def write(results: Path) -> list[Path]:
    """Write `texts`, and the figures of the headline. Returns where."""
    written = texts(results)
    for path, text in written.items():
        write_atomically(path, text.encode())
    return [*written, *_draw(results)]


def _draw(results: Path) -> list[Path]:
    """results/paper/headline-excess and headline-time, as PDF and SVG."""
    from satedge.bench.report.figures.headline import excess_figure, time_figure

    found = [s for s in headline(results) if _is_shown(s, headline(results))]
    if not found:
        return []
    with style.house():
        drawn = {"headline-excess": excess_figure(found), "headline-time": time_figure(found)}
        pairs = [style.save_both(f, results / "paper", name) for name, f in drawn.items()]
    return [path for pair in pairs for path in pair]


# --- README


def _mark(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: written by satedge headline -->\n).*?(<!-- end -->)", re.S)


def filled(readme: str, results: Path) -> str:
    """README with its marked parts written anew."""
    for name, text in (("headline", _headline_text(results)), ("claims", _claims_text(results))):
        found = _mark(name).search(readme)
        if found:
            start, end = found.end(1), found.start(2)
            readme = f"{readme[:start]}{text}\n{readme[end:]}"
    return readme


def _headline_text(results: Path) -> str:
    found = headline(results)
    if not found:
        return "\nNo committed study has it yet.\n"
    return _table_text(results, found) + (_contrasts_text(results) or _BEFORE)


#: Until held-out suites are played.
_BEFORE = (
    "\nThe rules of the final analysis on held-out episodes are fixed before these are played\n"
    f"([results/{HELD_OUT}/rules.toml](results/{HELD_OUT}/rules.toml)); `satedge final` plays them "
    "once. Until then\nnothing here is said of unseen episodes: methods were developed with an eye "
    "on the development ones.\n"
)


def _contrasts_text(results: Path) -> str:
    """What the final analysis says of pairs; nothing before it is played."""
    if not _held_out(results):
        return ""
    folder = results / HELD_OUT
    final = read_final(folder / "rules.toml")
    told = contrasts(scored_rows(folder), final.table.contrasts)
    lines = [
        f"- {c.part}: {c.verdict} ({c.method} over {c.other}: "
        f"{100 * c.ratio.difference.value:+.2f} % "
        f"[{100 * c.corrected.low:+.2f}, {100 * c.corrected.high:+.2f}])"
        for c in told
    ]
    head = (
        "They were played once, under rules fixed before "
        f"([results/{HELD_OUT}](results/{HELD_OUT}/rules.toml)). Differences of mean bounded cost, "
        "with intervals corrected for all contrasts (Holm):"
    )
    return f"\n{_page(head)}\n\n" + "\n".join(lines) + "\n"


#: What learners are told of a slot, which no other column says.
_FEEDBACK = (
    "AD-SAC+ and AD-SAC (cured) are told the cost of every device, where the learners of the paper "
    "and TD3 get one number a slot; Imitation copies plans of myopic-exact."
)


def _table_text(results: Path, found: Sequence[Standing]) -> str:
    """The headline's table, with where it comes from."""
    table = headline_table([s for s in found if _is_shown(s, found)])
    places = [i for i, c in enumerate(table.columns) if (c.key or c.heading) in _SHOWN]
    narrow = Table([table.columns[i] for i in places], [[r[i] for i in places] for r in table.rows])
    held_out = bool(_held_out(results))
    where = "held-out" if held_out else "development"
    folder = HELD_OUT if held_out else STUDY
    counts = "; ".join(
        f"{world} {max(s.episodes for s in found if s.world == world)}"
        for world in dict.fromkeys(s.world for s in found)
    )
    learned = sorted({s.seeds for s in found if s.family == LEARNED})
    seeds = f", learners with {' to '.join(map(str, learned[:: max(1, len(learned) - 1)]))} seeds"
    told = (
        f"On {where} episodes ({counts}){seeds * bool(learned)} "
        f"([results/{folder}](results/{folder})). {CAPTION} {_FEEDBACK if learned else ''}".rstrip()
    )
    return (
        f"\n{_page(told)}\n\n{markdown([narrow])}\n"
        "![Controllable excess by world](results/paper/headline-excess.svg)\n\n"
        "![Decision time and controllable excess](results/paper/headline-time.svg)\n\n"
        "*Named are the methods that nobody beats both in time and in cost.*\n"
    )


def _page(text: str, indent: str = "") -> str:
    """In lines of a page's width."""
    return textwrap.fill(
        text, 118, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _is_shown(s: Standing, found: Sequence[Standing]) -> bool:
    """Of the fixed rules README has the reference rule alone."""
    return s.method not in FIXED_RULES or s.method in _rules(found, s.world)


def _rules(found: Sequence[Standing], world: str) -> list[str]:
    mine = [s for s in found if s.world == world and s.method in FIXED_RULES]
    return [s.method for s in mine if abs(s.controllable.value - 1) < 1e-9]


def _claims_text(results: Path) -> str:
    told = stated(results)
    places = list(dict.fromkeys(c.figure for c in told))
    head = "| | " + " | ".join(VERDICTS) + " |\n| --- |" + " ---: |" * len(VERDICTS)
    lines = [
        f"| {place} | "
        + " | ".join(str(_count(told, place, verdict)) for verdict in VERDICTS)
        + " |"
        for place in places
    ]
    lists = [_list(told, verdict) for verdict in (REPRODUCED, CONTRADICTED, FITTED)]
    return "\n" + "\n".join([head, *lines]) + "\n\n" + "\n".join(filter(None, lists)) + "\n"


def _count(told: Sequence[Claim], place: str, verdict: str) -> int:
    return sum(c.figure == place and c.verdict == verdict for c in told)


def _list(told: Sequence[Claim], verdict: str) -> str:
    """A bullet with the statements of one verdict, figure by figure, in lines of a page's width."""
    chosen = [c for c in told if c.verdict == verdict]
    if not chosen:
        return ""
    texts: dict[str, dict[str, list[str]]] = {}
    for c in chosen:
        texts.setdefault(c.figure, {}).setdefault(c.paper, []).append(c.policies)
    parts = [
        f"{place}: " + "; ".join(f"{text} ({', '.join(how)})" for text, how in found.items())
        for place, found in texts.items()
    ]
    return _page(f"- **{verdict.capitalize()}**. " + ". ".join(parts) + ".", "  ")


def is_filled(readme: Path, results: Path) -> bool:
    """README is what the tables say, and so are the tables that lie beside the results."""
    text = readme.read_text("utf-8")
    return filled(text, results) == text


def fill(readme: Path, results: Path) -> bool:
    """Write README's parts anew; whether that changed anything."""
    text = readme.read_text("utf-8")
    new = filled(text, results)
    if new != text:
        write_atomically(readme, new.encode())
    return new != text


def forget() -> None:
    """Read the results anew next time."""
    headline.cache_clear()
    stated.cache_clear()
