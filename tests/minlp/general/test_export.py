"""What is exported is P1, and what other solvers say of it is judged."""

import json
import os

import highspy
import numpy as np
import pyomo.environ as pyo
import pytest

from minlp.enumeration.solve import prove
from minlp.general import export as files
from minlp.p1 import model as p1
from satedge.problem.plan import Plan
from satedge.problem.projector import project
from satedge.problem.referee import judge
from support.worlds import world


@pytest.fixture(scope="module")
def instance():
    return world("tiny", 4, n_slots=2)


@pytest.fixture(scope="module")
def plan(instance):
    """The optimum of slot 1."""
    return prove(instance, 1).plan


@pytest.mark.parametrize("format", ["nl", "gms"])
def test_a_solution_by_names_is_the_plan_again(tmp_path, instance, plan, format):
    """The values of a plan, written under the file's names, read back as the plan."""
    path = tmp_path / f"slot.{format}"
    files.export(instance, 1, format, path)
    model = p1.build(instance, 1)
    p1.model_cost_at(model, plan)
    meta = json.loads(files.names_path(path).read_text())
    value = {v.name: pyo.value(v) for v in model.component_data_objects(pyo.Var)}
    assert set(meta["names"].values()) <= set(value)
    rows = {short: value[name] for short, name in meta["names"].items()}
    solution = tmp_path / "answer.json"
    solution.write_text(json.dumps(rows))
    lines = tmp_path / "answer.txt"
    lines.write_text("# by hand\n" + "".join(f"{k} = {v!r}\n" for k, v in rows.items()))
    for answer in (solution, lines):
        again = files.read_solution(answer, path, instance, 1)
        assert (again.server == plan.server).all()
        assert again.power_W == pytest.approx(plan.power_W, rel=1e-9)
        assert again.uav_xy_m == pytest.approx(plan.uav_xy_m, abs=1e-6)


def test_ampl_solutions_are_read_in_column_order(tmp_path, instance, plan):
    """A .sol file holds values without names, in the order of the .nl file's columns."""
    path = tmp_path / "slot.nl"
    files.export(instance, 1, "nl", path)
    model = p1.build(instance, 1)
    p1.model_cost_at(model, plan)
    names = list(json.loads(files.names_path(path).read_text())["names"])
    header = path.read_text(errors="replace").split("\n")[1].split()
    assert int(header[0]) == len(names)
    values = [pyo.value(model.find_component(name)) for name in names]
    sol = tmp_path / "slot.sol"
    counts = ["0", "0", str(len(values)), str(len(values))]
    sol.write_text("\n".join(["solved", "", "Options", "3", "1", "1", "0", *counts]) + "\n"
                   + "\n".join(repr(v) for v in values) + "\nobjno 0 0\n")  # fmt: skip
    again = files.read_solution(sol, path, instance, 1)
    slot = instance.window(1, 2)
    assert judge(slot, again).cost == pytest.approx(judge(slot, plan).cost, rel=1e-9)


@pytest.mark.parametrize("format", ["mps", "lp"])
def test_highs_solves_the_exported_relaxation(tmp_path, instance, plan, format):
    """HiGHS reads the file; its optimum bounds the slot, its point becomes a plan."""
    path = tmp_path / f"slot.{format}"
    files.export(instance, 1, format, path)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    highs.run()
    slot = instance.window(1, 2)
    best = float(judge(slot, plan).cost)
    bound = highs.getInfo().objective_function_value
    assert 0.5 * best < bound <= best * (1 + 1e-6)
    lp = highs.getLp()
    point = dict(zip(lp.col_names_, highs.getSolution().col_value, strict=True))
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(point))
    projected, _ = project(slot, files.read_solution(answer, path, instance, 1))
    assert best * (1 - 1e-6) <= float(judge(slot, projected).cost)


def test_nl_without_comments_says_the_same(tmp_path, instance):
    """Word for word, but for what stands behind a #."""
    with_them, without = tmp_path / "with.nl", tmp_path / "without.nl"
    files.export(instance, 1, "nl", with_them)
    files.export(instance, 1, "nl", without, comments=False)
    said = [line.split("#")[0].rstrip() for line in with_them.read_text().split("\n")]
    assert "#" in with_them.read_text()
    assert without.read_text().split("\n") == said


def test_scip_reads_the_nl_file(tmp_path, instance, plan):
    """SCIP solves the exported nl file to the proven optimum."""
    scip = pytest.importorskip("pyscipopt").Model()
    path = tmp_path / "slot.nl"
    files.export(instance, 1, "nl", path)
    scip.hideOutput()
    scip.setParam("limits/time", 600)
    scip.setParam("limits/gap", 1e-4)
    try:
        scip.readProblem(str(path))
    except OSError:
        pytest.skip("this SCIP was built without its nl reader")
    scip.optimize()
    best = float(judge(instance.window(1, 2), plan).cost)
    assert scip.getObjVal() == pytest.approx(best, rel=2e-4)


def test_damaged_solutions_are_refused(tmp_path, instance):
    """What cannot be a solution of the file is refused, with what is allowed."""
    path = tmp_path / "slot.nl"
    files.export(instance, 1, "nl", path)
    bad = tmp_path / "bad.sol"
    for text, message in (
        ("nothing here", "AMPL solution"),
        ("x\n\nOptions\n0\n0\n0\n3\n3\n1\n2\n3\n", "3 values"),
    ):
        bad.write_text(text)
        with pytest.raises(files.SolutionError, match=message):
            files.read_solution(bad, path, instance, 1)
    other = tmp_path / "bad.txt"
    for text, message in (
        *(
            (f"move[0,0] = {value}", "a finite number")
            for value in ("fast", "1_0", "١", "nan", "-inf", "1e999")
        ),
        ('{"move[0,0]": true}', "a finite number"),
        ("move[0,0] = 1\nmove[0,0] = 2", "stands twice"),
        ("speed = 1", "names variables"),
        ("{broken", "Expecting"),
    ):
        other.write_text(text)
        with pytest.raises(files.SolutionError, match=message):
            files.read_solution(other, path, instance, 1)
    with pytest.raises(files.SolutionError, match="No such file"):
        files.read_solution(tmp_path / "absent.sol", path, instance, 1)
    os.mkfifo(tmp_path / "pipe.sol")
    with pytest.raises(files.SolutionError, match="no regular file"):
        files.read_solution(tmp_path / "pipe.sol", path, instance, 1)
    files.names_path(path).write_text('{"format": "nl", "names": [], "formulation": "power"}')
    with pytest.raises(files.SolutionError, match="has written"):
        files.read_solution(other, path, instance, 1)
    with pytest.raises(ValueError, match="nl, gms, mps, lp"):
        files.export(instance, 1, "xls", path)


def test_plans_read_back_start_where_the_uavs_were(tmp_path, instance):
    """With given start positions, the exported displacement counts from them."""
    start = np.clip(instance.uav_xy_m + 25.0, 0, 500)
    path = tmp_path / "slot.nl"
    files.export(instance, 1, "nl", path, start)
    answer = tmp_path / "still.txt"
    answer.write_text("move[0,0] = 0.1\nmove[0,1] = 0\n")
    read = files.read_solution(answer, path, instance, 1, start)
    assert isinstance(read, Plan)
    assert read.uav_xy_m[0, 0] == pytest.approx(start[0] + [10.0, 0.0])
