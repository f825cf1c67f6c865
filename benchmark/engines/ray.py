"""The engine for many cores and machines: Ray Tune runs the trials, reused workers keep what trials share."""

import contextlib
import functools
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from benchmark.engines.cluster import Room, awaited, cluster, first_node, gpu_memory, require_ray
from benchmark.engines.interface import Failure, Launcher, Score
from benchmark.engines.ledger import Ledger
from benchmark.engines.needs import Needs, models, needs
from benchmark.engines.parcel import PackedTask
from benchmark.engines.settings import EngineSettings
from benchmark.engines.worker import Inbox, Library, Parcel, carry_out
from benchmark.trials.content import content_digests
from benchmark.trials.trial import Trial
from tasks.task import Task

RETRIES = 2
"""How often a trial is begun again after its worker or machine was lost; a trial that raises is not."""

REDUCTION = 3
"""ASHA keeps one in so many candidates."""


class RayEngine:
    """Runs trials on the workers of a Ray cluster; InputError if Ray is not installed.

    Ray's own state is scratch: the store is the truth, and a run whose driver died goes on when it is given again.

    Args:
        folders: Returns setting -> folder of the checkpoints a trial rests on, for machines that lack them.
        launcher: Starts the processes that share a trial; None runs each trial in one.
    """

    def __init__(
        self,
        settings: EngineSettings,
        folders: Callable[[Trial], Mapping[str, Path]] = lambda trial: {},
        launcher: Launcher | None = None,
    ) -> None:
        require_ray()
        self.settings = settings
        self.folders = folders
        self.launcher = launcher

    def parallel(self, trial: Trial) -> str:
        """Return how a trial is shared out among workers; empty if one worker does it."""
        return "" if self.launcher is None else self.launcher.parallel(trial)

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order, those that are shared out at the end."""
        self._run([[trial] for trial in trials], task, ledger, None, {}, None)

    def race(
        self, chains: Sequence[Sequence[Trial]], task: Task, ledger: Ledger, score: Score, known: Mapping[Trial, float]
    ) -> None:
        """Run chains, one Tune trial each; ASHA stops those that do badly after one trial, three, nine and so on.

        Where a simulator tells of its epochs, the first of them in a chain is such a moment too.

        ASHA decides as results come in, so which chains it stops can depend on how fast the workers are. What a trial
        finds does not.
        """
        from ray.tune.schedulers import ASHAScheduler

        longest = max(len(chain) for chain in chains)
        first = 1 if any("epochs" in trial.settings for chain in chains for trial in chain) else REDUCTION
        halving = ASHAScheduler(
            time_attr="step", max_t=REDUCTION * longest, grace_period=first, reduction_factor=REDUCTION
        )
        self._run(chains, task, ledger, score, known, halving)

    def _run(
        self,
        chains: Sequence[Sequence[Trial]],
        task: Task,
        ledger: Ledger,
        score: Score | None,
        known: Mapping[Trial, float],
        scheduler: Any,
    ) -> None:
        packed, out, key = PackedTask.of(task), sys.stdout, content_digests(task).joined()
        on_cpu = os.environ.get("GAZEBENCH_DEVICE", "").startswith("cpu")
        with (
            cluster(self.settings, packed.table.nbytes) as ray,
            awaited(ray, self.settings, on_cpu, ledger.report) as there,
        ):
            job = _Job(ray, self, chains, ledger, out, known)
            try:
                job.run(there, packed, key, score, scheduler)
            except ray.exceptions.RayActorError:
                ledger.report("a helper of the engine was lost; what is unfinished begins again, from its checkpoints.")
                # A race needs the scores of what it has run, which went with the helper.
                left = chains if score is not None else [chain for chain in chains if chain[0] not in job.over]
                _Job(ray, self, left, ledger, out, known).run(there, packed, key, score, scheduler)


@dataclass(slots=True)
class _Job:
    """One call of an engine."""

    ray: Any
    engine: RayEngine
    chains: Sequence[Sequence[Trial]]
    ledger: Ledger
    out: TextIO
    known: Mapping[Trial, float]
    begun: set[Trial] = field(default_factory=set)
    over: set[Trial] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    ended: list[int] = field(default_factory=list)
    given_up: dict[int, str] = field(default_factory=dict)
    inbox: Any = None
    trials: tuple[Trial, ...] = ()
    needs: Mapping[int, Needs] = field(default_factory=dict)

    def run(self, there: Room, packed: PackedTask, key: str, score: Score | None, scheduler: Any) -> None:
        """Hand out the chains until each is over, stopped, or has lost its worker too often.

        RayActorError if the inbox was lost.
        """
        ray, settings = self.ray, self.engine.settings
        self.trials = tuple(trial for chain in self.chains for trial in chain)
        self.needs = self._needs(there)
        here = {"num_cpus": 0, "scheduling_strategy": first_node(ray)}
        store = self.ledger.store
        states = {index: store.state(trial) for index, trial in enumerate(self.trials) if trial not in self.known}
        self.inbox = ray.remote(Inbox).options(**here).remote({i: files for i, files in states.items() if files})
        again = {"max_restarts": 1, "max_task_retries": 1}
        library = None if settings.address is None else ray.remote(Library).options(**here, **again).remote()
        launcher, launch = self.engine.launcher, None
        if launcher is not None:
            launch = functools.partial(launcher.launch, cpus=settings.cpus, gpus=int(there.gpus))
        parcel = Parcel(
            trials=self.trials,
            task=ray.put(packed),
            key=key,
            threads=settings.threads,
            inbox=self.inbox,
            library=library,
            folders={} if library is None else self._folders(),
            score=score,
            asked={index: asked.record() for index, asked in self.needs.items()},
            launch=launch,
        )
        shared = [index for index, chain in enumerate(self.chains) if chain[0].parallel]
        alone = [index for index in range(len(self.chains)) if index not in set(shared)]
        try:
            # Without a number of workers as many run as there is room for, on machines that join later too.
            self._hand_out(alone, parcel, scheduler, settings.workers)
            # The workers of a shared trial need what the others leave free, so these come to their end first.
            self._hand_out(shared, parcel, scheduler, there.shared_abreast)
        finally:
            ray.kill(self.inbox)
            if library is not None:
                ray.kill(library)
        if scheduler is None:
            for trial in self.trials:
                if trial not in self.over:
                    self._close(trial, Failure("Ray ended without running it", "Ray Tune ended without running it."))

    def _hand_out(self, indices: Sequence[int], parcel: Parcel, scheduler: Any, abreast: int | None) -> None:
        """Have some chains run, again and again where a worker is lost as it starts."""
        waiting = set(indices)
        for _ in range(RETRIES + 1):
            if not waiting:
                break
            self.lost.clear()
            self._fit(sorted(waiting), parcel, scheduler, abreast)
            # Tune begins a trial again whose worker is lost at work, but not one whose worker is lost at its start.
            waiting = self.lost - set(self.given_up)
        for index, text in {**dict.fromkeys(waiting, "It was lost while it started."), **self.given_up}.items():
            self._give_up(index, text)
        self.given_up.clear()

    def _needs(self, there: Room) -> dict[int, Needs]:
        """Return what each trial asks for: as it was given, or as finished trials of the same kind have needed."""
        settings, records = self.engine.settings, self.ledger.store.records()
        given = settings.gpus is not None
        kinds: dict[tuple[bool, tuple[tuple[str, str], ...]], list[int]] = {}
        for index, trial in enumerate(self.trials):
            kinds.setdefault((bool(trial.parallel), models(trial)), []).append(index)
        known = there.gpus == 1 and not given and bool(records)
        gpu_bytes = gpu_memory(self.ray) if known else None
        found: dict[int, Needs] = {}
        for (shared, material), indices in kinds.items():
            asked = Needs(settings.cpus, there.gpus if material else 0.0, None, "given" if given else "default")
            if not shared:
                trials = [self.trials[index] for index in indices]
                size = gpu_bytes if material else None
                asked = needs(trials, records, asked, gpu_bytes=size, memory_limit=there.memory)
                if asked.memory or (material and there.gpus and not given):
                    names = ", ".join(dict.fromkeys(trial.simulator for trial in trials))
                    self.ledger.report(f"a trial of {names} asks for {asked} ({asked.source}).")
            found |= dict.fromkeys(indices, asked)
        return found

    def _folders(self) -> dict[int, dict[str, str]]:
        """Return where the checkpoints of every trial with a model are on this machine."""
        return {
            index: {key: str(folder) for key, folder in self.engine.folders(trial).items()}
            for index, trial in enumerate(self.trials)
            if models(trial)
        }

    def _fit(self, waiting: Sequence[int], parcel: Parcel, scheduler: Any, abreast: int | None) -> None:
        from ray import tune

        starts = tuple(itertools.accumulate(map(len, self.chains), initial=0))
        chains, asked = self.chains, self.needs

        def bundle(config: dict[str, Any]) -> Any:
            chain = config["chain"]
            # A shared trial's workers ask for themselves. Ray refuses to be asked for nothing.
            found = {"memory": 1.0} if chains[chain][0].parallel else asked[starts[chain]].bundle()
            return tune.PlacementGroupFactory([found])

        run = tune.with_parameters(_run_chain, parcel=parcel, starts=starts, known=self.known)
        with tempfile.TemporaryDirectory(prefix="gazebench-tune-") as scratch:
            tune.Tuner(
                tune.with_resources(run, bundle),
                param_space={"chain": tune.grid_search(list(waiting))},
                tune_config=tune.TuneConfig(
                    metric="score" if scheduler is not None else None,
                    mode="min" if scheduler is not None else None,
                    scheduler=scheduler,
                    reuse_actors=True,
                    max_concurrent_trials=abreast,
                ),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=scratch,
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                    callbacks=[_callback(self)],
                    verbose=0,
                ),
            ).fit()
        self.collect()

    def collect(self) -> None:
        """Write down what the workers have told since the last time."""
        with contextlib.redirect_stdout(self.out):
            for method, index, arguments in self.ray.get(self.inbox.fetch.remote()):
                trial = self.trials[index]
                if method == "start":
                    self.begun.add(trial)
                if method in ("finish", "fail"):
                    self.over.add(trial)
                getattr(self.ledger, method)(trial, *arguments)

    def stopped(self, chain: int) -> None:
        """Say of a chain that has ended at which trial it was stopped."""
        for trial in self.chains[chain]:
            if trial in self.begun and trial not in self.over:
                self.ledger.step(trial, "stopped early")

    def begin_again(self, chain: int) -> None:
        """Say that a chain lost its worker and is begun again."""
        self.collect()
        trial = next((trial for trial in self.chains[chain] if trial not in self.over), None)
        # A worker may be lost before it has begun: then there is nothing to go on from, and no log to write it to.
        if trial in self.begun:
            with contextlib.redirect_stdout(self.out):
                self.ledger.say(
                    trial,
                    f"the worker of {trial.simulator}, seed {trial.seed}, fold {trial.fold} was lost; "
                    "the trial goes on from its last checkpoint on another.",
                )

    def _give_up(self, index: int, text: str) -> None:
        """Note that the worker of a chain was lost again and again: the trial that it was at has failed."""
        for trial in self.chains[index]:
            if trial not in self.over and trial not in self.known:
                self._close(trial, Failure(f"its worker was lost {RETRIES + 1} times; {_cause(text)}", text))
                break

    def _close(self, trial: Trial, failure: Failure) -> None:
        self.over.add(trial)
        self.ledger.fail(trial, failure)


def _run_chain(config: dict[str, Any], parcel: Parcel, starts: tuple[int, ...], known: Mapping[Trial, float]) -> None:
    """Run one chain on a worker; what Tune calls. ``starts`` has the index of each chain's first trial, and an end."""
    from ray import tune

    scores: list[float] = []
    races = parcel.score is not None

    def judged(epoch: int, score: float) -> None:
        # Another third of the way to the first trial's end, as ASHA counts; scores of one moment are compared alone.
        if epoch == 1 and not scores:
            tune.report({"score": score, "step": 1})

    for index in range(starts[config["chain"]], starts[config["chain"] + 1]):
        trial = parcel.trials[index]
        score = known[trial] if trial in known else carry_out(index, parcel, judged if races else None)
        if score is None:  # it failed, or nobody asks for scores
            return
        scores.append(score)
        tune.report({"score": sum(scores) / len(scores), "step": REDUCTION * len(scores)})


def _account(trial: Any) -> str:
    """Return what Tune wrote down of the failures of one of its trials."""
    try:
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return "no cause is known"


def _cause(text: str) -> str:
    """Return the line of Ray's account of a lost worker that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("SIGKILL", "OOM", "memory", "exit", "died"))]
    return (telling or lines or ["no cause is known"])[0]


def _callback(job: _Job) -> Any:
    """Return the callback by which the driver hears of its trials."""
    from ray.tune import Callback
    from ray.tune.progress_reporter import TrialProgressCallback

    class Listener(TrialProgressCallback):  # type: ignore[misc]  # Ray is not typed
        """Fetches messages between Tune's steps, and notes chains that Tune gives up.

        It stands where Tune would put its own progress report, which prints to standard output.
        """

        def __init__(self) -> None:
            pass

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            job.collect()
            while job.ended:
                job.stopped(job.ended.pop())

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            job.begin_again(trial.config["chain"])

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            chain = trial.config["chain"]
            if trial.num_failures > RETRIES:
                job.given_up[chain] = _account(trial)
            else:
                job.lost.add(chain)

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            pass

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            job.ended.append(trial.config["chain"])  # what fails here, Tune takes for a failure of the trial

        def __reduce__(self) -> Any:
            # Tune keeps a pickle of its callbacks, which nobody reads: a run is never restored from Tune's files.
            return Callback, ()

    return Listener()
