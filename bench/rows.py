"""The rows of the table: what is run for each, and what our engine must reach in it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients import BARE, OURS, SDK, SDK_AIOHTTP, Rows, check, command, committed, environment, log_of, program, write_seeds
from measure import BenchError, Cost, StubProcess, run

SLOTS = ("--slots", "64", "--ttft", "0.05", "--per-token", "0.005")
KILL_SLOTS = ("--slots", "64", "--ttft", "0.02", "--per-token", "0.001")
HEALING = ("--faults", "429=0.05,500=0.05,drop=0.01,cut=0.01,badjson=0.01")
POISON = ("--poison", "0.01")


@dataclass(frozen=True)
class Sizes:
    """Records of each measurement."""

    slope: tuple[int, int] = (2_000, 20_000)
    sdk_slope: tuple[int, int] = (200, 2_000)
    """The SDK takes milliseconds a record: a shorter way tells as much."""
    grown: int = 200_000
    """Our engine's memory is compared between the larger end of `slope` and this: below, SQLite's page caches still fill."""
    short: int = 200
    busy: int = 2_000
    faults: int = 1_000
    kill: int = 2_000
    repeat: int = 3
    """Runs of which the median counts; of `busy`, `faults` and `kill` there is one."""


QUICK = Sizes(slope=(500, 4_000), grown=12_000, sdk_slope=(100, 600), busy=600, faults=300, kill=600, repeat=1)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    best: str
    """Of the tools compared in November 2026 on another occasion: see docs/benchmarks.md."""
    cells: dict[str, str]
    limit: str
    ok: bool | None
    """None where our engine was not run."""


@dataclass(frozen=True)
class Result:
    cost: Cost
    rows: Rows
    stats: dict[str, Any]

    @property
    def startup_s(self) -> float:
        return float(self.stats["first_request_in"]) - self.cost.began


@dataclass
class Bench:
    """Runs what the rows ask for, each in fresh processes and a fresh folder; results that two rows need are kept."""

    sizes: Sizes
    clients: Sequence[str]
    folder: Path
    say: Callable[[str], None]
    kept: dict[tuple[str, int], list[Result]] = field(default_factory=dict)

    def once(self, client: str, n: int, *stub: str, calls: int = 1, healthy: bool = True) -> Result:
        """Raises BenchError where a healthy run does not end well with every row right."""
        self.say(f"{client}: {n} records{' of two calls' if calls == 2 else ''} {' '.join(stub)}")
        with tempfile.TemporaryDirectory(dir=self.folder) as name, StubProcess(*stub) as server:
            folder = Path(name)
            write_seeds(folder / "seeds.jsonl", n)
            cost = run(command(client, folder, server.url, calls), folder, environment(folder))
            rows = check(client, folder, n, calls) if (folder / "out").exists() else Rows(n, 0, 0)
            result = Result(cost, rows, server.stats())
        if healthy and (cost.rc != 0 or rows.lost or rows.doubled):
            raise BenchError(f"{client}: exit {cost.rc}, {rows.right} of {n} right\n{cost.stderr[-2000:]}{cost.stdout[-500:]}")
        return result

    def take_turns(self, sizes: Callable[[str], Sequence[int]]) -> None:
        """Run all clients' sizes at zero latency, one after another and then all again, so that a busy minute hurts all alike."""
        wanted = [(client, n) for client in self.clients for n in sizes(client) if (client, n) not in self.kept]
        for _ in range(self.sizes.repeat):
            for client, n in wanted:
                self.kept.setdefault((client, n), []).append(self.once(client, n))

    def repeated(self, client: str, n: int) -> list[Result]:
        """At zero latency."""
        if (client, n) not in self.kept:
            repeat = 1 if n == self.sizes.grown else self.sizes.repeat
            self.kept[client, n] = [self.once(client, n) for _ in range(repeat)]
        return self.kept[client, n]

    def each(self, measure: Callable[[str], str], clients: Sequence[str] = (BARE, SDK, SDK_AIOHTTP, OURS)) -> dict[str, str]:
        return {client: measure(client) for client in clients if client in self.clients}

    def slope(self, client: str) -> tuple[int, int]:
        return self.sizes.slope if client in (BARE, OURS) else self.sizes.sdk_slope

    def median(self, client: str, n: int, value: Callable[[Result], float]) -> float:
        return statistics.median(value(result) for result in self.repeated(client, n))

    def judged(self, holds: Callable[[], bool]) -> bool | None:
        return holds() if OURS in self.clients else None


def cpu(bench: Bench) -> list[Line]:
    def marginal(client: str) -> float:
        small, large = bench.slope(client)
        cost = [bench.median(client, n, lambda r: r.cost.cpu_s) for n in (small, large)]
        return (cost[1] - cost[0]) / (large - small) * 1e3

    bench.take_turns(bench.slope)
    ms = {client: marginal(client) for client in bench.clients}
    limit = max(0.45, 4.5 * ms.get(BARE, 0))
    what = (
        f"marginal CPU ms a record (slope from {bench.sizes.slope[0]:,} to {bench.sizes.slope[1]:,}), `answer`, 256 in flight, zero latency"
    )
    cells = bench.each(lambda client: f"{ms[client]:.2f}")
    return [Line(what, "1.8", cells, f"<= {limit:.2f} (0.45, or 4.5 x bare)", bench.judged(lambda: ms[OURS] <= limit))]


def startup(bench: Bench) -> list[Line]:
    n = bench.sizes.short
    bench.take_turns(lambda client: [n])

    def cell(client: str, value: Callable[[Result], float]) -> str:
        return f"{bench.median(client, n, value):.2f}"

    def line(what: str, best: str, limit: float, value: Callable[[Result], float]) -> Line:
        ok = bench.judged(lambda: bench.median(OURS, n, value) <= limit)
        return Line(what, best, bench.each(lambda client: cell(client, value)), f"<= {limit}", ok)

    return [
        line("start-up to the first request, s", "0.6", 0.6, lambda r: r.startup_s),
        line(f"wall of {n} records, s", "1.0", 1.0, lambda r: r.cost.wall_s),
    ]


def memory(bench: Bench) -> list[Line]:
    def peak(client: str, n: int) -> float:
        return bench.median(client, n, lambda r: r.cost.peak_mb)

    def ends(client: str) -> tuple[int, int]:
        return (bench.slope(client)[1], bench.sizes.grown) if client == OURS else bench.slope(client)

    def growth(client: str) -> float:
        small, large = ends(client)
        return (peak(client, large) - peak(client, small)) / (large - small) * 1e6

    small = bench.sizes.slope[0]
    of = f"MB a million records (slope from {ends(OURS)[0]:,} to {ends(OURS)[1]:,})"
    peaks = bench.each(lambda client: f"{peak(client, small):.0f}")
    return [
        Line(
            f"peak memory of the main process at {small:,} records, MB",
            "119",
            peaks,
            "<= 130",
            bench.judged(lambda: peak(OURS, small) <= 130),
        ),
        Line(
            f"its growth, {of}",
            "-",
            bench.each(lambda c: f"{growth(c):.0f}", (BARE, OURS)),
            "<= 20",
            bench.judged(lambda: growth(OURS) <= 20),
        ),
    ]


def busy(bench: Bench) -> list[Line]:
    lines = []
    for calls, n, best in ((1, bench.sizes.busy, "0.973"), (2, bench.sizes.busy // 2, "0.977")):
        used = {client: bench.once(client, n, *SLOTS, calls=calls).stats["utilisation"] for client in bench.clients}
        limit = used[BARE] - 0.01 if BARE in used else None
        what = f"a 64-slot server kept busy, first request to last answer, N={n:,}, {'one call' if calls == 1 else 'two dependent calls'}"
        cells = {client: f"{share:.3f}" for client, share in used.items()}
        lines.append(
            Line(what, best, cells, f">= {limit:.3f} (bare - 0.01)", bench.judged(lambda used=used, limit=limit: used[OURS] >= limit))
        )
    return lines


def faults(bench: Bench) -> list[Line]:
    n = bench.sizes.faults
    results = {client: bench.once(client, n, *HEALING, healthy=False) for client in bench.clients}
    requests = {client: r.stats["requests"] / r.stats["least"] for client, r in results.items()}
    right = {client: f"{r.rows.right}{f', {r.rows.doubled} doubled' if r.rows.doubled else ''}" for client, r in results.items()}
    ratio = {client: f"{results[client].stats['requests']:,} = {share:.3f}" for client, share in requests.items()}
    what = "13 % healing faults (429, 500, drops, cut and broken bodies):"
    return [
        Line(f"{what} records right of {n:,}", "1,000", right, f"{n:,}, exit 0", bench.judged(lambda: exact(results[OURS], n))),
        Line(f"{what} requests, over the least possible", "1.000", ratio, "<= 1.01", bench.judged(lambda: requests[OURS] <= 1.01)),
    ]


def exact(result: Result, n: int) -> bool:
    return result.cost.rc == 0 and (result.rows.right, result.rows.doubled, result.rows.failed) == (n, 0, 0)


def poison(bench: Bench) -> list[Line]:
    n = bench.sizes.faults
    results = {client: bench.once(client, n, *POISON, healthy=False) for client in bench.clients}
    lost = max((result.stats["never_heal"] for result in results.values()), default=0)

    def cell(client: str) -> str:
        rows, rc = results[client].rows, results[client].cost.rc
        return f"{rows.right}; {rows.failed} failed, {rows.explained} with a reason, exit {rc}" if client == OURS else f"{rows.right}"

    def holds() -> bool:
        rows, rc = results[OURS].rows, results[OURS].cost.rc
        return (rows.right, rows.rows, rows.failed, rows.explained, rc) == (n - lost, n - lost, lost, lost, 0)

    limit = f"{n - lost}; {lost} failed with reasons, exit 0"
    return [Line(f"1 % poison prompts: right of {n:,}; the others", "991; 9 dropped", bench.each(cell), limit, bench.judged(holds))]


def kill(bench: Bench) -> list[Line]:
    """SIGKILL of the whole tree when half is answered, then the same command again; every answer logged by the stub."""
    what = "SIGKILL half way, then resume: committed answers paid twice; records lost, doubled"
    if OURS not in bench.clients:
        return [Line(what, "0; 0", {}, "0; 0, 0", None)]
    n = bench.sizes.kill
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder = Path(name)
        log = folder / "log"
        with StubProcess(*KILL_SLOTS, "--log", str(log)) as server:
            write_seeds(folder / "seeds.jsonl", n)
            argv, env = command(OURS, folder, server.url, 1), environment(folder)
            bench.say(f"{OURS}: {n} records, SIGKILL half way")
            first = run(argv, folder, env, kill_when=lambda: log_of(log).total() >= n // 2)
            if first.rc != -9:
                raise BenchError(f"it ended with {first.rc} before it was killed\n{first.stderr[-2000:]}")
            before, safe = int(server.stats()["answers"]), committed(folder)
            bench.say(f"killed after {first.wall_s:.1f} s: {before} answers sent, {safe} committed; the same command again")
            second = run(argv, folder, env)
            after = server.stats()
        rows = check(OURS, folder, n, 1)
    if second.rc != 0:
        raise BenchError(f"the resumed run ended with {second.rc}\n{second.stderr[-2000:]}")
    twice = after["repeats"] - (before - safe)
    bench.say(f"{after['answers']} answers in all, {after['repeats']} repeats, of which {before - safe} were not committed at the kill")
    cell = f"{twice}; {rows.lost}, {rows.doubled}"
    return [Line(what, "0; 0", {OURS: cell}, "0; 0, 0", (twice, rows.lost, rows.doubled) == (0, 0, 0))]


def help_text(bench: Bench) -> list[Line]:
    what = "`datalchemy --help`, s"
    if OURS not in bench.clients:
        return [Line(what, "-", {}, "< 0.3", None)]
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder = Path(name)
        costs = [run([*program(), "--help"], folder, environment(folder)) for _ in range(5)]
    if any(cost.rc != 0 or "Usage:" not in cost.stdout for cost in costs):
        raise BenchError(f"--help ends with {costs[-1].rc}\n{costs[-1].stderr[-2000:]}")
    wall = statistics.median(cost.wall_s for cost in costs)
    return [Line(what, "-", {OURS: f"{wall:.2f}"}, "< 0.3", wall < 0.3)]


ROWS: dict[str, Callable[[Bench], list[Line]]] = {
    "cpu": cpu,
    "startup": startup,
    "memory": memory,
    "busy": busy,
    "faults": faults,
    "poison": poison,
    "kill": kill,
    "help": help_text,
}
