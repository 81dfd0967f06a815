"""Study files: what they mean, and that mistakes in them are named."""

from pathlib import Path

import pytest

from satedge.bench.study.study import StudyError, cells, instances, spread
from satedge.bench.study.study_file import builtin, load_study, parse_study
from satedge.bench.study.suites import SUITES


def part(text: str) -> str:
    return f"[[part]]\nsuites = ['tiny']\ntake = 2\n{text}"


@pytest.mark.parametrize("name", builtin())
def test_built_in_studies_parse(name: str) -> None:
    """Every study that comes with the package names methods, suites and settings that exist."""
    study = load_study(name)
    assert study.parts
    assert study.title


def test_quick_study_fits_into_ten_minutes() -> None:
    """Even if every cell used all of its budget, two jobs would be done in ten minutes."""
    study = load_study("quick")
    worst_s = sum(c.budget_s + c.limits.grace_s for c in cells(study)) / 2
    assert worst_s < 480


def test_defaults_are_overridden_by_parts_and_parts_by_methods() -> None:
    """The nearest value wins."""
    study = parse_study(
        "[defaults]\nseeds = [1]\nbudgets_s = [1.0]\nmemory_MB = 100\n"
        + part("budgets_s = [2.0]\nmethods = ['greedy', { name = 'random', seeds = [5, 6] }]"),
        "s",
    )
    found = [(c.name, c.seed, c.budget_s, c.limits.memory_MB) for c in cells(study)]
    assert found[:3] == [("greedy", 1, 2.0, 100), ("random", 5, 2.0, 100), ("random", 6, 2.0, 100)]
    assert len(found) == 6


def test_take_is_spread_evenly() -> None:
    """Ten of thirty are every third one."""
    study = parse_study(part("methods = ['greedy']").replace("take = 2", "take = 10"), "s")
    names = [i.name for i in instances(study.parts[0])]
    assert names == [f"tiny-{3000 + 3 * i}" for i in range(10)]


def test_method_may_take_fewer() -> None:
    """An expensive method runs on a share of its part's instances."""
    text = part("methods = ['greedy', { name = 'random', take = 1 }]")
    assert [c.name for c in cells(parse_study(text, "s"))] == ["greedy", "random", "greedy"]


def test_slots_cut_episodes() -> None:
    """`slots` takes a stretch of every episode."""
    text = "[[part]]\nsuites = ['paper']\ntake = 1\nslots = [3, 5]\nmethods = ['greedy']"
    (instance,) = instances(parse_study(text, "s").parts[0])
    assert (instance.n_slots, instance.name) == (2, "paper-0@3:5")


def test_generated_instances() -> None:
    """A part may have instances made from a preset."""
    text = (
        "[[part]]\ngenerate = [{ preset = 'tiny', seeds = [4, 5], set = { n_slots = 2 } }]\n"
        "methods = ['greedy']"
    )
    found = instances(parse_study(text, "s").parts[0])
    assert [(i.name, i.n_slots, i.seed) for i in found] == [
        ("tiny-n_slots=2-4", 2, 4),
        ("tiny-n_slots=2-5", 2, 5),
    ]


def test_placeholders_in_settings() -> None:
    """Trained policies are chosen by seed and by size."""
    text = part(
        "methods = [{ name = 'adsac', seeds = [7],"
        " settings = { policy = 'a/seed-{seed}', preset = 'K{n_devices}' } }]"
    )
    assert dict(cells(parse_study(text, "s"))[0].method.settings) == {
        "policy": "a/seed-7",
        "preset": "K3",
    }


def test_equal_cells_run_once() -> None:
    """A cell named twice is one cell."""
    text = part("methods = ['greedy']") + "\n" + part("methods = ['greedy']")
    assert len(cells(parse_study(text, "s"))) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "Invalid value"),
        ("", "at least one"),
        ("titel = 'x'", "unknown key 'titel'; allowed: title, defaults, part"),
        ("[[part]]\nmethods = ['greedy']", "suites is missing"),
        (part("methods = ['gredy']"), "method 'gredy' (did you mean greedy?): allowed is one of"),
        (
            part("methods = [{ name = 'general', settings = { solver = 'cplexxx' } }]"),
            "general: solver 'cplexxx' (did you mean cplex?): allowed is a solver that Pyomo knows",
        ),
        (part("methods = [{ nam = 'greedy' }]"), "unknown key 'nam'"),
        (part("methods = [{ seeds = [1] }]"), "name is missing"),
        (part("seeds = [-1]\nmethods = ['greedy']"), "integers in [0, "),
        (part("seeds = []\nmethods = ['greedy']"), "integers in [0, "),
        (part("budgets_s = [0]\nmethods = ['greedy']"), "numbers > 0"),
        (part("slots = [5, 5]\nmethods = ['greedy']"), "first, beyond the last"),
        (
            part("memory_MB = 'much'\nmethods = ['greedy']"),
            "memory_MB = 'much': allowed is a number > 0 (MB)",
        ),
        ("[defaults]\ntake = true", "defaults: take = True: allowed is an integer >= 1"),
        (part("slots = [0, 5.0]\nmethods = ['greedy']"), "first, beyond the last"),
        (part("clock = 'sun'\nmethods = ['greedy']"), "clock = 'sun': allowed is one of wall, cpu"),
        ("[defaults]\ntaek = 3", "did you mean take?"),
        ("part = [3]", "part 0 = 3: allowed is a table"),
        ("[defaults]\nseeds = 'all'\n" + part("methods = ['greedy']"), "defaults: seeds = 'all'"),
        (
            "[[part]]\ngenerate = [{ seeds = '5-x' }]",
            "seeds = '5-x': allowed is a list of integers",
        ),
        ("[[part]]\ngenerate = [{ preset = 'tiny' }]", "seeds is missing: allowed is a list of"),
        (
            part("methods = [{ name = 'adsac+', settings = { finish = 'power' } }]"),
            "finish = 'power' (did you mean powers?): allowed is one of none, powers, search",
        ),
        (
            part("methods = [{ name = 'greedy', settings = { finish = 3 } }]"),
            "greedy: finish = 3: allowed is one of none, powers, search",
        ),
        (
            part("methods = [{ name = 'greedy', settings = { speed = 9 } }]"),
            "unknown setting 'speed'",
        ),
        ("[[part]]\ngenerate = [{ seeds = [1], set = { n_device = 1 } }]", "n_devices"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    """A wrong study is refused with its place and what is allowed."""
    with pytest.raises(StudyError) as told:
        parse_study(text + "\n", "wrong")
    assert "study wrong" in str(told.value)
    assert words in str(told.value)


def test_unknown_study_is_refused(tmp_path: Path) -> None:
    """A name near a known one is suggested."""
    with pytest.raises(StudyError, match=r"did you mean quick\?"):
        load_study("quik")
    path = tmp_path / "own.toml"
    path.write_text(part("methods = ['greedy']"))
    assert load_study(str(path)).name == "own"


def test_former_names_are_labels_of_their_own() -> None:
    """A study of before keeps its label; asked for by either name, the run is that label's."""
    old = parse_study(part("methods = ['exact-rolling']"), "old")
    new = parse_study(part("methods = ['myopic-exact']"), "new")
    assert {c.name for c in cells(old)} == {"exact-rolling"}
    assert {c.method.name for c in cells(old)} == {"myopic-exact"}
    assert old.labels(["exact-rolling"]) == {"exact-rolling"}
    assert new.labels(["exact-rolling"]) == new.labels(["myopic-exact"]) == {"myopic-exact"}
    with pytest.raises(StudyError, match="'greedy' is not in study new"):
        new.labels(["greedy"])


def test_all_of_the_sweeps_points_are_of_the_same_episodes() -> None:
    """Whoever plays fewer plays ten episodes of every point, or three, the same ones at each."""
    (sweeps,) = load_study("figures").parts
    names = [r.name for r in SUITES["figures"].recipes]
    played: dict[str, dict[str, set[str]]] = {}
    for entry in sweeps.entries:
        for name in spread(names, entry.take):
            point, _, draw = name.rpartition("-")
            played.setdefault(entry.label, {}).setdefault(point, set()).add(draw)
    for points in played.values():
        draws = next(iter(points.values()))
        assert len(points) == 14
        assert all(other == draws for other in points.values())
    counts = {label: len(next(iter(points.values()))) for label, points in played.items()}
    assert {counts[m] for m in ("alternate", "local-search", "independent-bound")} == {10}
    assert counts["myopic-exact"] == 3
    assert {counts[m] for m in ("adsac", "ppo", "greedy", "inversion", "random")} == {30}
