"""How long the full reproduction takes on 1 to 256 GPUs, and what holds it up at each size.

A simulation: workers (one per GPU, so many to a node) start, wait until their node has fetched data and backbones over
one shared link, load the backbone they need, and take trials, the longest first. For each cause it says how much time
would be saved without it, and names the largest:

- GPU work: with a GPU for every trial; more GPUs help.
- longest trial: if trials could be shared out evenly; several processes per trial help (--deepspeed zero2).
- start-up and loading: if workers started and backbones loaded in no time.
- data transfer: if the link were fast without limit.

Costs come from one of four places; only the first two are measurements of what is simulated:

    python tests/performance/plan_reproduction.py                        # measured here with the pocket backbones
    python tests/performance/plan_reproduction.py --runs runs/recgaze-loo runs/adserp-loo      # of finished trials
    python tests/performance/plan_reproduction.py --costs costs.json     # one's own; --save writes such a file
    python tests/performance/plan_reproduction.py --estimate             # real size, from FLOPs: an estimate
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

TASKS = ("recgaze", "adserp")
BACKBONES = ("qwen3-vl", "internvl3.5")
OPERATORS = ("attnlrp-stable", "rollout", "glimpse")
METHODS = (
    "backbone",
    "random-prompt",
    "shared-prompt",
    "fixate",
    "fixate-no-weights",
    "fixate-no-attention",
    "fixate-no-ntp",
)
SEEDS = 5
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SESSIONS = {"recgaze": (499, 76), "adserp": (94, 47)}
"""Training and test sessions: of the published RecGaze split, and of the public AdSERP replay trials under loo."""
EPOCHS, HELD = 30, 0.15
Cell = tuple[str, str, str, str]


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
        trials: (task, backbone, operator, method) -> seconds of one trial.
        startup: Seconds until a worker is ready to load.
        load: Seconds to load a backbone from the node's disk.
        node_bytes: What a node fetches before its workers can load: data and all backbones.
        bandwidth: Bytes per second of the link that all nodes share.
        per_node: Workers per node.
    """

    source: str
    trials: Mapping[Cell, float]
    startup: float
    load: float
    node_bytes: float
    bandwidth: float = 1.25e9
    per_node: int = 8

    def jobs(self, seeds: int) -> list[Job]:
        """Return the trials of the reproduction."""
        return [Job(cell[1], seconds) for cell, seconds in self.trials.items() for _ in range(seeds)]


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
    causes: Mapping[str, float] = field(default_factory=dict)
    busy: float = 0.0

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


def per_trial(task: str, train_second: float, test_second: float, epochs: int = EPOCHS) -> float:
    """Return the seconds of a trial that trains every epoch.

    Args:
        task: Gives the numbers of sessions.
        train_second: Seconds per session and epoch of training; 0 for a method that is not trained.
        test_second: Seconds per session of evaluation, which validation costs too.
        epochs: Largest number of epochs: nothing is assumed of early stopping.
    """
    train, test = SESSIONS[task]
    held = round(HELD * train) if train_second else 0
    rounds = epochs if train_second else 0
    return rounds * ((train - held) * train_second + held * test_second) + test * test_second


def measured(count: int) -> Costs:
    """Measure seconds per session of every backbone, operator and method on the pocket stand-ins, and start-up."""
    from baselines import registry
    from baselines.vlm import loaded
    from tests.baselines.distributed import pages

    shown = pages.sessions(users=4, each=count // 4)
    trials: dict[Cell, float] = {}
    for backbone, pocket in zip(BACKBONES, ("pocket-qwen3vl", "pocket-internvl"), strict=True):
        loaded.load(pocket)
        for operator, method in itertools.product(OPERATORS, METHODS):
            tuned = method not in ("backbone", "random-prompt")
            settings = {"backbone": pocket, "operator": operator}
            simulator = registry.build(method, {**settings, "epochs": 1, "validation": 0.0} if tuned else settings)
            simulator.fit(shown, 0)
            stimuli = [session.stimulus() for session in shown]
            simulator.simulate(stimuli)
            start = time.perf_counter()
            simulator.simulate(stimuli)
            test_second = (time.perf_counter() - start) / len(shown)
            train_second = simulator.cost()["seconds_train"] / len(shown) if tuned else 0.0  # type: ignore[attr-defined]
            for task in TASKS:
                trials[task, backbone, operator, method] = per_trial(task, train_second, test_second)
    code = "import torch, transformers, datasets; import baselines.tuning.trainer"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    startup = time.perf_counter() - start
    loaded.forget()
    start = time.perf_counter()
    loaded.load("pocket-qwen3vl")
    note = (
        f"measured on this machine with the pocket stand-ins, {count} sessions per cell, scaled to {EPOCHS} epochs and "
        "the sessions of the tasks; a worker is one core. Not the real backbones."
    )
    return Costs(note, trials, startup, time.perf_counter() - start, 20e6)


def of_runs(runs: Sequence[Path]) -> Costs:
    """Take the mean seconds of finished trials by task, backbone, operator and simulator from runs' stores."""
    found: dict[Cell, list[float]] = {}
    for run in runs:
        for path in sorted(run.glob("trials/*/trial.json")):
            record = json.loads(path.read_text())
            settings, cost = record["settings"], record["cost"]
            if "backbone" in settings:
                seconds = cost.get("seconds", cost["seconds_fit"] + cost["seconds_simulate"])
                operator = str(settings.get("operator", "none"))
                cell = (record["task"], str(settings["backbone"]), operator, record["simulator"])
                found.setdefault(cell, []).append(seconds)
    if not found:
        raise SystemExit("no finished trial with a backbone in these runs; give folders that hold trials/*/trial.json.")
    trials = {cell: sum(times) / len(times) for cell, times in found.items()}
    number = sum(map(len, found.values()))
    note = f"the mean of {number} finished trials in {len(trials)} cells; start-up, loading and transfer as given"
    return Costs(note, trials, 0.0, 0.0, 0.0)


def estimated(parameters: float, tokens: float, flops: float, share: float) -> Costs:
    """Estimate the real size from FLOPs: 2 per parameter and token of a pass, as many again for one back.

    Operators cost as many plain steps, in training and in evaluation, as docs/probing.md reports for a smaller model.
    """
    train = {"attnlrp-stable": 1.0, "rollout": 1.6, "glimpse": 3.0}
    test = {"attnlrp-stable": 1.06, "rollout": 1.13, "glimpse": 2.57}
    second = parameters * tokens / (flops * share)
    trials = {}
    for task, backbone, operator, method in itertools.product(TASKS, BACKBONES, OPERATORS, METHODS):
        tuned = method not in ("backbone", "random-prompt")
        steps = train[operator] if method != "fixate-no-attention" else 1.0
        train_second, test_second = (4 * second * steps if tuned else 0.0), 2 * second * test[operator]
        trials[task, backbone, operator, method] = per_trial(task, train_second, test_second)
    note = (
        f"an ESTIMATE, nothing of it measured: {parameters:.1e} parameters, {tokens:.0f} tokens a session, "
        f"{flops:.1e} FLOP/s a GPU at {share:.0%}, {EPOCHS} epochs; start-up 30 s, loading 60 s, 20 GB a node"
    )
    return Costs(note, trials, 30.0, 60.0, 20e9)


def read_costs(path: Path) -> Costs:
    """Read what ``write_costs`` wrote, or one's own."""
    values = json.loads(path.read_text())
    trials = {(c["task"], c["backbone"], c["operator"], c["method"]): float(c["seconds"]) for c in values.pop("trials")}
    return Costs(trials=trials, **values)


def write_costs(costs: Costs, path: Path) -> None:
    """Write costs as JSON."""
    names = ("task", "backbone", "operator", "method", "seconds")
    cells = [dict(zip(names, (*cell, seconds), strict=True)) for cell, seconds in costs.trials.items()]
    values = {field.name: getattr(costs, field.name) for field in dataclasses.fields(costs)} | {"trials": cells}
    path.write_text(json.dumps(values, indent=1) + "\n")


def duration(seconds: float) -> str:
    """Return seconds in a unit that can be read."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--costs", type=Path, metavar="FILE")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--parameters", type=float, default=4e9, help="of the decoder, for --estimate")
    parser.add_argument("--tokens", type=float, default=850, help="per session, for --estimate")
    parser.add_argument("--flops", type=float, default=4e14, help="of a GPU per second, for --estimate")
    parser.add_argument("--share", type=float, default=0.3, help="of these FLOPs that are reached, for --estimate")
    parser.add_argument("--count", type=int, default=8, help="sessions per measured cell, a multiple of 4")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--startup", type=float, help="seconds; overrides")
    parser.add_argument("--load", type=float, help="seconds to load a backbone; overrides")
    parser.add_argument("--node-bytes", type=float, help="bytes a node fetches; overrides")
    parser.add_argument("--bandwidth", type=float, help="bytes per second of the shared link; overrides")
    parser.add_argument("--per-node", type=int, help="GPUs per node; overrides")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the costs")
    chosen = parser.parse_args()
    if chosen.costs:
        costs = read_costs(chosen.costs)
    elif chosen.runs:
        costs = of_runs(chosen.runs)
    elif chosen.estimate:
        costs = estimated(chosen.parameters, chosen.tokens, chosen.flops, chosen.share)
    else:
        costs = measured(chosen.count)
    given = {k: getattr(chosen, k) for k in ("startup", "load", "node_bytes", "bandwidth", "per_node")}
    costs = dataclasses.replace(costs, **{key: value for key, value in given.items() if value is not None})
    if chosen.save:
        write_costs(costs, chosen.save)
    jobs = costs.jobs(chosen.seeds)
    longest = max(job.seconds for job in jobs)
    print(f"costs: {costs.source}")
    print(
        f"{len(jobs)} trials, {duration(sum(job.seconds for job in jobs))} of work, the longest {duration(longest)}; "
        f"start-up {costs.startup:.1f} s, loading {costs.load:.1f} s, "
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
