"""How long the full reproduction takes on 1 to 256 GPUs, and what holds it up at each size.

A simulation: workers (one per GPU, so many to a node) start, wait until their node has fetched data and backbones over
one shared link, load the backbone they need, and take trials, the longest first. For each cause it says how much time
would be saved without it, and names the largest:

- GPU work: with a GPU for every trial; more GPUs help.
- longest trial: if trials could be shared out evenly; several processes per trial help (--deepspeed zero2).
- start-up and loading: if workers started and backbones loaded in no time.
- data transfer: if the link were fast without limit.

The trials and what each takes come from a plan, or from finished trials:

    python -m benchmark reproduce all --plan --backbone qwen3-vl=FOLDER         # times a few sessions of each kind
    python tests/performance/plan_reproduction.py --plans runs/reproduce/plan.json
    python tests/performance/plan_reproduction.py --runs runs/reproduce         # of finished trials

``--faster 500`` reckons with workers that are so many times as fast as where this was measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Job:
    """One trial: the backbone it needs and its seconds on one worker."""

    backbone: str
    seconds: float


@dataclass(frozen=True)
class Costs:
    """What things take.

    Attributes:
        source: Where the numbers come from, printed above the table.
        jobs: The trials.
        startup: Seconds until a worker is ready to load.
        load: Seconds to load a backbone from the node's disk.
        node_bytes: What a node fetches before its workers can load: data and all backbones.
        bandwidth: Bytes per second of the link that all nodes share.
        per_node: Workers per node.
    """

    source: str
    jobs: tuple[Job, ...]
    startup: float = 30.0
    load: float = 60.0
    node_bytes: float = 20e9
    bandwidth: float = 1.25e9
    per_node: int = 8


@dataclass(frozen=True)
class Plan:
    """What one size gives.

    Attributes:
        workers: Number of GPUs.
        seconds: From the start to the end of the last trial.
        causes: What holds it up -> seconds that it costs.
        busy: Share of the workers' time spent on trials.
    """

    workers: int
    seconds: float
    causes: Mapping[str, float]
    busy: float

    @property
    def bottleneck(self) -> str:
        """What costs most."""
        return max(self.causes, key=lambda cause: self.causes[cause])


def makespan(jobs: Sequence[Job], workers: int, costs: Costs) -> float:
    """Return the seconds until all trials are done.

    A free worker takes the longest trial left of the backbone that it has loaded. If there is none it loads the one
    with most work left, unless somebody who has it will be free before it is loaded.

    Args:
        jobs: The trials.
        workers: At least 1; those beyond the number of trials are not started.
        costs: Of everything but the trials.
    """
    left: dict[str, list[float]] = {}
    for job in sorted(jobs, key=lambda job: job.seconds):
        left.setdefault(job.backbone, []).append(job.seconds)
    work = {backbone: sum(times) for backbone, times in left.items()}
    started = min(workers, len(jobs))
    fetch = costs.node_bytes / costs.bandwidth
    order = itertools.count()
    # The link serves one node after the other, which ends no later for all together than serving them at once.
    free = [(max(costs.startup, (worker // costs.per_node + 1) * fetch), next(order), "") for worker in range(started)]
    heapq.heapify(free)
    end = 0.0
    while free:
        now, _, loaded = heapq.heappop(free)
        if not left.get(loaded):
            ready = now + costs.load
            sooner = {backbone for then, _, backbone in free if then <= ready}
            worth = [backbone for backbone, times in left.items() if times and backbone not in sooner]
            if not worth:
                continue
            loaded = max(worth, key=lambda backbone: work[backbone])
            now = ready
        seconds = left[loaded].pop()
        work[loaded] -= seconds
        end = max(end, now + seconds)
        heapq.heappush(free, (now + seconds, next(order), loaded))
    return end


def plan(jobs: Sequence[Job], workers: int, costs: Costs) -> Plan:
    """Simulate one size, with everything and without each cause in turn."""
    total = sum(job.seconds for job in jobs)
    seconds = makespan(jobs, workers, costs)
    light = dataclasses.replace(costs, startup=0.0, load=0.0)
    fast = dataclasses.replace(costs, node_bytes=0.0)
    bare = dataclasses.replace(light, node_bytes=0.0)
    alone = makespan(jobs, workers, bare)
    causes = {
        "GPU work": alone - makespan(jobs, len(jobs), bare),
        "longest trial": max(0.0, alone - total / workers),
        "start-up and loading": max(0.0, seconds - makespan(jobs, workers, light)),
        "data transfer": max(0.0, seconds - makespan(jobs, workers, fast)),
    }
    return Plan(workers, seconds, causes, total / (seconds * workers))


def of_plans(paths: Sequence[Path], faster: float) -> Costs:
    """Take the trials that are to run, and what each takes, from files that ``--plan`` wrote."""
    jobs, known, notices = [], 0, []
    for path in paths:
        values = json.loads(path.read_text())
        for row in values["rows"]:
            jobs += [Job(row["backbone"], row["seconds"] / faster)] * row["trials"]
            known += 1
        notices.append(values["notice"])
    if not jobs:
        raise SystemExit("no trial is to run in these plans.")
    said = f", {faster:g} times as fast as there" if faster != 1 else ""
    note = f"{known} kinds of trials as planned{said} [{'; '.join(dict.fromkeys(notices))}]"
    return Costs(note, tuple(jobs))


def of_runs(runs: Sequence[Path], faster: float) -> Costs:
    """Take the seconds of finished trials with a backbone from runs' stores."""
    jobs = []
    for run in runs:
        for path in sorted(run.glob("trials/*/trial.json")):
            record = json.loads(path.read_text())
            cost, backbone = record["cost"], record["settings"].get("backbone")
            if backbone is not None:
                jobs.append(Job(str(backbone), cost["seconds"] / faster))
    if not jobs:
        raise SystemExit("no finished trial with a backbone in these runs; give folders that hold trials/*/trial.json.")
    said = f", {faster:g} times as fast as there" if faster != 1 else ""
    return Costs(f"{len(jobs)} finished trials{said}", tuple(jobs))


def duration(seconds: float) -> str:
    """Return seconds in a unit that can be read."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--plans", type=Path, nargs="+", metavar="FILE", help="files that reproduce --plan wrote")
    source.add_argument("--runs", type=Path, nargs="+", metavar="DIR", help="folders of runs with finished trials")
    parser.add_argument(
        "--faster", type=float, default=1.0, metavar="X", help="speed of a worker, measured ones being 1"
    )
    parser.add_argument("--startup", type=float, help="seconds until a worker is ready (default: 30)")
    parser.add_argument("--load", type=float, help="seconds to load a backbone (default: 60)")
    parser.add_argument("--node-bytes", type=float, help="bytes a node fetches (default: 20e9)")
    parser.add_argument("--bandwidth", type=float, help="bytes per second of the shared link (default: 1.25e9)")
    parser.add_argument("--per-node", type=int, help="GPUs per node (default: 8)")
    chosen = parser.parse_args()
    costs = of_plans(chosen.plans, chosen.faster) if chosen.plans else of_runs(chosen.runs, chosen.faster)
    given = {k: getattr(chosen, k) for k in ("startup", "load", "node_bytes", "bandwidth", "per_node")}
    costs = dataclasses.replace(costs, **{key: value for key, value in given.items() if value is not None})
    jobs = costs.jobs
    longest = max(job.seconds for job in jobs)
    print(f"costs: {costs.source}")
    print(
        f"{len(jobs)} trials, {duration(sum(job.seconds for job in jobs))} of work, the longest {duration(longest)}; "
        f"assumed: start-up {costs.startup:.1f} s, loading {costs.load:.1f} s, "
        f"{costs.node_bytes / 1e9:.2f} GB a node at {costs.bandwidth / 1e9:.2f} GB/s, {costs.per_node} GPUs a node\n"
    )
    print(f"{'GPUs':>5s}{'time':>12s}{'speed-up':>10s}{'busy':>7s}  bottleneck (and what each costs)")
    plans = [plan(jobs, size, costs) for size in SIZES]
    for found in plans:
        causes = ", ".join(f"{cause} {duration(cost)}" for cause, cost in found.causes.items())
        print(
            f"{found.workers:5d}{duration(found.seconds):>12s}{plans[0].seconds / found.seconds:10.1f}{found.busy:7.0%}"
            f"  {found.bottleneck} ({causes})"
        )


if __name__ == "__main__":
    main()
