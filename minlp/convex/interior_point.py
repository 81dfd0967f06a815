"""Primal-dual interior-point steps for the joint power and position problem, compiled.

The method (Mehrotra, SIAM J. Optim. 2(4), 1992; Wright, Primal-Dual Interior-Point Methods, 1997,
chapter 10; Nocedal and Wright, Numerical Optimization, 2006, chapter 19) treats every one-sided
condition as a pair gap >= 0, dual >= 0 whose product is driven to 0:

    y_i - l_i and its dual, u_i - y_i and its dual          the box
    t_k = v_k - (h_k - slack_k) and lambda_k                overrun v_k covers the lateness
    v_k and rho_k - lambda_k                                overrun v_k >= 0, priced at rho_k
    w_i and mu_i, where w_i + |q - c_i|^2 = R_i^2           discs; w may start inconsistent

All pairs are eliminated from the Newton system, which leaves one Cholesky factorisation of the
Hessian of F_lambda with positive additions (n + 2M rows). Smoothing the kinks of the overruns with
their own duals is what keeps Newton's steps long; a stiff smooth penalty does not.
"""

from __future__ import annotations

from minlp.convex.linear_algebra import back_substitute, cholesky, longest_step
from minlp.convex.problem import ConvexProblem, Point, evaluate, hessian_of
from minlp.convex.start import State
from satedge.kernels import Vector, kernel


@kernel
def _factorise(point: Point, state: State) -> bool:
    """Factor the Hessian plus the barriers' diagonals; False if it never became definite."""
    f = state.free.shape[0]
    free, factor, hessian, gap, dual = (
        state.free, state.factor, point.hessian, state.gap, state.dual
    )  # fmt: skip
    ridge = 0.0
    while ridge < 1e3:
        for a in range(f):
            i = free[a]
            for b in range(a, f):
                factor[a, b] = hessian[i, free[b]]
            factor[a, a] += dual[a] / gap[a] + dual[f + a] / gap[f + a] + ridge * factor[a, a]
        if cholesky(factor):
            return True
        ridge = max(100.0 * ridge, 1e-15)
    return False


@kernel
def _right_hand_side(problem: ConvexProblem, target: float, point: Point, state: State) -> None:
    """Into state.move: minus the gradient of F_lambda and what eliminated overrun pairs pull."""
    n, f, m = problem.load_s.shape[0], state.free.shape[0], state.late.shape[0]
    gap, dual, correction, move = state.gap, state.dual, state.correction, state.move
    slope, receiver = point.slope, problem.receiver
    for i in range(move.shape[0]):
        move[i] = -point.gradient[i]
    for b in range(m):
        k, t, v = state.late[b], 2 * f + b, 2 * f + m + b
        aim = point.upload[k] - problem.slack_s[k]
        aim += (target - correction[t]) / dual[t] - (target - correction[v]) / dual[v]
        state.aim[b] = aim
        pull = point.stiffness[k] * aim * point.fall[k]
        move[k] += pull
        for j in range(n):
            move[j] -= pull * slope[k, j]
        if receiver[k] >= 0:
            i = n + 2 * receiver[k]
            move[i] -= pull * slope[k, n]
            move[i + 1] -= pull * slope[k, n + 1]
    for i in range(problem.disc.shape[0]):
        pair = 2 * f + 2 * m + i
        pull = (target - correction[pair] + dual[pair] * point.excess[i]) / gap[pair]
        x = n + 2 * int(problem.disc[i, 0])
        move[x] -= 2.0 * pull * point.offset[i, 0]
        move[x + 1] -= 2.0 * pull * point.offset[i, 1]
    for a in range(f):
        low, high = (target - correction[a]) / gap[a], (target - correction[f + a]) / gap[f + a]
        state.step[a] = move[state.free[a]] + low - high


@kernel
def _overrun_steps(problem: ConvexProblem, target: float, point: Point, state: State) -> None:
    """Steps of the overrun pairs, from the first-order change of h along the move."""
    n, f, m = problem.load_s.shape[0], state.free.shape[0], state.late.shape[0]
    gap, dual, correction, move = state.gap, state.dual, state.correction, state.move
    slope, fall, receiver, late = point.slope, point.fall, problem.receiver, state.late
    for b in range(m):
        k, t, v = late[b], 2 * f + b, 2 * f + m + b
        rise = -move[k]
        for j in range(n):
            rise += slope[k, j] * move[j]
        if receiver[k] >= 0:
            i = n + 2 * receiver[k]
            rise += slope[k, n] * move[i] + slope[k, n + 1] * move[i + 1]
        change = point.stiffness[k] * (rise * fall[k] + state.aim[b])
        state.dual_step[t], state.dual_step[v] = change, -change
        state.gap_step[t] = (target - correction[t] - gap[t] * change) / dual[t] - gap[t]
        state.gap_step[v] = (target - correction[v] + gap[v] * change) / dual[v] - gap[v]


@kernel
def _newton(problem: ConvexProblem, target: float, point: Point, state: State) -> None:
    """Newton step of all pairs towards gap * dual = target."""
    f, m = state.free.shape[0], state.late.shape[0]
    gap, dual, correction = state.gap, state.dual, state.correction
    _right_hand_side(problem, target, point, state)
    back_substitute(state.factor, state.step)
    state.move[:] = 0.0
    for a in range(f):
        step = state.step[a]
        state.move[state.free[a]] = step
        state.gap_step[a], state.gap_step[f + a] = step, -step
    _overrun_steps(problem, target, point, state)
    n = problem.load_s.shape[0]
    for i in range(problem.disc.shape[0]):
        pair, x = 2 * f + 2 * m + i, n + 2 * int(problem.disc[i, 0])
        along = point.offset[i, 0] * state.move[x] + point.offset[i, 1] * state.move[x + 1]
        state.gap_step[pair] = -(point.excess[i] + gap[pair]) - 2.0 * along
        rest = target - correction[pair] - dual[pair] * state.gap_step[pair]
        state.dual_step[pair] = rest / gap[pair] - dual[pair]
    for a in range(2 * f):
        rest = target - correction[a] - dual[a] * state.gap_step[a]
        state.dual_step[a] = rest / gap[a] - dual[a]


@kernel
def _mean_product(state: State, primal: float, dual: float) -> float:
    """Mean of gap * dual after steps of these lengths."""
    total = 0.0
    for a in range(state.gap.shape[0]):
        gap = state.gap[a] + primal * state.gap_step[a]
        total += gap * (state.dual[a] + dual * state.dual_step[a])
    return total / max(state.gap.shape[0], 1)


@kernel
def direction(
    problem: ConvexProblem, floor: float, point: Point, state: State
) -> tuple[float, float]:
    """Predictor and corrector; the step in `state`, and how far gaps and duals may follow it.

    Products are not driven below the floor: rounding of h would spoil the duals.
    """
    f, m = state.free.shape[0], state.late.shape[0]
    gap, dual = state.gap, state.dual
    for b in range(m):
        t, v = 2 * f + b, 2 * f + m + b
        point.stiffness[state.late[b]] = 1.0 / (gap[t] / dual[t] + gap[v] / dual[v])
    for i in range(problem.disc.shape[0]):
        pair = 2 * f + 2 * m + i
        point.disc_stiffness[i] = dual[pair] / gap[pair]
    hessian_of(problem, point)
    if not _factorise(point, state):
        return 0.0, 0.0
    state.correction[:] = 0.0
    _newton(problem, 0.0, point, state)
    primal = longest_step(gap, state.gap_step, 1.0)
    along = longest_step(dual, state.dual_step, 1.0)
    mean = _mean_product(state, 0.0, 0.0)
    ratio = _mean_product(state, primal, along) / mean if mean > 0.0 else 0.0
    target = max(mean * min(1.0, max(1e-6, ratio**3)), floor)
    if min(primal, along) >= 0.1:
        for a in range(gap.shape[0]):
            state.correction[a] = state.gap_step[a] * state.dual_step[a]
    _newton(problem, target, point, state)
    fraction = max(0.99, 1.0 - 0.1 * ratio)  # tends to 1 where the predictor is nearly exact
    primal = longest_step(gap, state.gap_step, fraction)
    along = longest_step(dual, state.dual_step, fraction)
    return primal, along


@kernel
def _walk(
    problem: ConvexProblem, y: Vector, cost: float, primal: float, point: Point, state: State
) -> tuple[float, float]:
    """Move y; returns the new cost and the multiple of the step taken.

    A quadratic model of exp() means little beyond a factor of 20 in power: steps are cut there,
    and shortened while they raise the cost. Others may raise it, as far as twofold.
    """
    longest = 0.0
    for k in range(problem.load_s.shape[0]):
        longest = max(longest, abs(state.move[k]))
    lost = longest * primal > 3.0
    taken, target = 0.0, 3.0 / longest if lost else primal
    allowed = cost if lost else 2.0 * cost
    reached = cost
    for _ in range(12):
        for i in range(y.shape[0]):
            z = y[i] + (target - taken) * state.move[i]
            y[i] = min(max(z, problem.lower[i]), problem.upper[i])
        taken = target
        reached = evaluate(problem, y, point)
        if reached <= allowed:
            break
        target = 0.3 * taken
    return reached, taken


@kernel
def advance(
    problem: ConvexProblem,
    y: Vector,
    cost: float,
    primal: float,
    along: float,
    point: Point,
    state: State,
) -> float:
    """Take the step, restore v - t = h - slack and the discs' gaps; returns the new cost."""
    f, m = state.free.shape[0], state.late.shape[0]
    cost, primal = _walk(problem, y, cost, primal, point, state)
    for a in range(state.gap.shape[0]):
        state.gap[a] += primal * state.gap_step[a]
        state.dual[a] += along * state.dual_step[a]
    for b in range(m):
        k, t, v = state.late[b], 2 * f + b, 2 * f + m + b
        point.multiplier[k] = min(state.dual[t], problem.overrun_weight[k])
        excess = point.upload[k] - problem.slack_s[k] - (state.gap[v] - state.gap[t])
        if excess > 0.0:
            state.gap[v] += excess
        else:
            state.gap[t] -= excess
    for i in range(problem.disc.shape[0]):
        pair = 2 * f + 2 * m + i
        point.disc_multiplier[i] = state.dual[pair]
        state.gap[pair] = max(-point.excess[i], 0.5 * state.gap[pair])
    return cost
