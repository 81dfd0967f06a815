"""A bound where all devices are heard everywhere: who shares which receiver, and how loud it is.

Let S_r be what receiver r hears in all, noise included, and a_k = lambda g_kr P_k / S_r the share
of a device that sends to r. Its SINR is a_k / (lambda (1 - a_k)), and shares and noise add up:

    sum_{k at r} a_k + sum_{j at s != r} a_j (g_jr / g_js) (S_s / S_r) + N / S_r = 1 .

With ln(S_r / N) in a box and gains in intervals, this is linear in the shares. Priced at nu_r >= 0
it leaves each device a choice of its own, of a receiver and a share: a bound for any nu. Boxes are
halved, M + 1 numbers in all, best bound first; with many devices that closes much more than
branching on each of them. Admission under a sum of shares: Yates, IEEE JSAC 13, 1995 (standard
interference functions); the prices are a Lagrangian dual (Geoffrion 1974).
"""

from __future__ import annotations

import heapq

import numpy as np

from minlp.branch_and_bound.relaxation import gain_tables
from minlp.slot.data import NOT_SENT, Array, SlotData

#: Rounding of a bound, relative; some hundred terms with errors of 1e-15.
MARGIN = 1e-11

#: Relative width of the cells of shares up to one half, and of what is left of 1 beyond.
FINE, COARSE = 0.02, 0.05

#: Steps of prices at the first box, and at each of the others.
FIRST_STEPS, STEPS = 300, 20

#: Steps without a gain after which they are halved, and down to what.
PATIENCE, SHORTEST = 4, 0.02

#: From this leakage on, interference is what costs.
LOUD = 0.3

#: Nodes of a search after which boxes are halved as well, how many for each node from then on, and
#: how many before the bound has to be above that of the nodes.
PATIENT, EACH, ENOUGH = 1000, 10, 500


class Alongside:
    """The bound beside that of a search's nodes, where all hear each other, and loudly."""

    def __init__(self, data: SlotData, boxes: Array, lone: Array) -> None:
        self.given, self.nodes = (data, boxes, lone), PATIENT
        self.known: ReceivedPower | None = None
        self.loud = data.scope == 0 and data.log_leakage >= np.log(LOUD)

    @property
    def bound(self) -> float:
        """-inf before there is one."""
        return self.known.bound if self.known else -np.inf

    def go_on(self, nodes: int, upper: float, below: float, target: float) -> None:
        """After so many nodes with a bound of `below`; `upper` is known, `target` is enough."""
        if not self.loud or nodes <= self.nodes or not np.isfinite(upper):
            return
        self.known = self.known or ReceivedPower(*self.given, upper)
        if self.known.boxes < ENOUGH or self.bound > below:
            self.known.refine(EACH * (nodes - self.nodes), target)
        self.nodes = nodes


class ReceivedPower:
    """Bounds a slot; costs are sums over devices."""

    def __init__(self, data: SlotData, boxes: Array, lone: Array, upper: float) -> None:
        """UAVs are in `boxes` (M, 4), `lone` (n, O) is what options cost without interference."""
        low, high = gain_tables(data, boxes)
        self.data, self.upper, self.leak = data, upper, np.exp(data.log_leakage)
        self.high = high
        #: (n, R) greatest SNR; (n, s, r) least gain at r over that at s, where a device sends.
        self.snr = np.exp(high + data.log_power_max - data.log_noise)
        self.ratio = np.exp(low[:, None, :] - high[:, :, None])
        self.ratio[:, np.arange(high.shape[1]), np.arange(high.shape[1])] = 0.0
        self._tables(lone)
        top = np.log1p(self.leak * self.snr.sum(0)) * (1 + 1e-9)
        prices = np.full(len(top), upper / max(len(low), 1))
        bound, prices = self._bound(np.zeros(len(top)), top, prices, FIRST_STEPS)
        self.heap = [(bound, 0, np.zeros(len(top)), top, prices)]
        self.boxes = 1

    def _tables(self, lone: Array) -> None:
        """Costs but for energy (n, R, A) in cells of shares, at the least, and upload times."""
        data, (n, n_receivers) = self.data, self.snr.shape
        top = self.leak * self.snr.sum(0).max() * (1 + 1e-9)
        few = np.exp(np.arange(np.log(0.01), np.log(0.5), FINE))
        many = 1.0 - np.exp(-np.arange(np.log(2.0), np.log1p(top) + COARSE, COARSE))
        edges = np.concatenate([[0.0], few, many])
        self.share, last = edges[:-1], edges[1:]
        nats = np.log1p(last / (self.leak * (1 - last)))
        self.time_s = data.load_s[:, :, None] / nats
        self.refusal = np.full(n, np.inf)
        self.cost = np.full((n, n_receivers, len(last)), np.inf)
        self.lone = np.full((n, n_receivers), np.inf)
        for k in range(n):
            for o in range(data.n_options[k]):
                r = data.receiver[k, o]
                if r == NOT_SENT:
                    self.refusal[k] = lone[k, o]
                    continue
                time_s = self.time_s[k, r]
                late_s = np.maximum(time_s - data.slack_s[k, o], 0.0)
                cost = data.fixed_cost[k, o] + data.latency_weight * time_s
                cost += data.overrun_weight * late_s
                self.cost[k, r] = np.minimum(self.cost[k, r], cost)
                self.lone[k, r] = min(self.lone[k, r], lone[k, o])

    @property
    def bound(self) -> float:
        """Certified: the least bound of any box."""
        return self.heap[0][0]

    def refine(self, boxes: int, target: float) -> None:
        """Halve so many boxes, unless the bound reaches `target` before."""
        for _ in range(boxes):
            if self.bound >= target:
                return
            bound, _serial, low, high, prices = heapq.heappop(self.heap)
            r = int(((high - low) * np.sqrt(prices + 1e-3 * prices.max() + 1e-9)).argmax())
            for end in (0, 1):
                ends = low.copy(), high.copy()
                ends[1 - end][r] = 0.5 * (low[r] + high[r])
                self.boxes += 1
                found, best = self._bound(*ends, prices, STEPS, target)
                heapq.heappush(self.heap, (max(found, bound), self.boxes, *ends, best))

    def _bound(
        self, low: Array, high: Array, prices: Array, steps: int, target: float = np.inf
    ) -> tuple[float, Array]:
        """The greatest bound found for ln(S / N) in [low, high] (R,), and its prices (R,)."""
        data, n = self.data, len(self.refusal)
        most = np.minimum(self.leak * self.snr * np.exp(-low) * (1 + 1e-9), 1.0)
        watt = np.exp(low + data.log_noise - data.log_leakage - self.high)  # of a share of 1
        spent = data.energy_weight * watt[:, :, None] * self.share * self.time_s
        cost = np.maximum(self.cost + spent, self.lone[:, :, None])
        cost = np.where(self.share <= most[:, :, None], cost, np.inf)
        heard = self.ratio * np.exp(low[:, None] - high)
        room = 1.0 - np.exp(-high) * (1 - 1e-12)
        best, known, scale, idle, who = -np.inf, prices, 0.5, 0, np.arange(n)
        for _ in range(steps):
            paid = prices + heard @ prices  # for a share of 1
            values = cost + paid[:, :, None] * self.share
            at = values.argmin(-1)
            least = np.take_along_axis(values, at[:, :, None], 2)[:, :, 0]
            r = least.argmin(1)
            each = np.minimum(least[who, r], self.refusal)
            value = each.sum() - (prices * room).sum()
            value -= MARGIN * (np.abs(each).sum() + (prices * room).sum())
            idle = 0 if value > best + 1e-4 * self.upper else idle + 1
            if value > best:
                best, known = value, prices
            if best >= target:
                break
            if idle >= PATIENCE:
                scale, idle, prices = 0.5 * scale, 0, known
                if scale < SHORTEST:
                    break
            share = np.where(least[who, r] < self.refusal, self.share[at[who, r]], 0.0)
            excess = np.bincount(r, share, len(low)) - room + share @ heard[who, r]
            length = max(float((excess**2).sum()), 1e-12)
            prices = np.maximum(prices + scale * (self.upper - value) / length * excess, 0.0)
        return float(best), known
