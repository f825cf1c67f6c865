"""Disasters: a killed worker, a killed driver, a lost node, a full disk; is the run the same in the end?

    python tests/performance/ray_chaos.py            # all of them
    python tests/performance/ray_chaos.py driver     # one

Each disaster befalls a run of random walks that keep a checkpoint per step. Then the command is given again, and held
against an undisturbed run in this process: the predictions must be the same bytes, no finished trial may have been run
again, and no step that was kept may have been walked twice. The full disk is a small file system in memory, which needs
the right to mount one. Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmark.engines import EngineSettings, LocalEngine  # noqa: E402
from benchmark.runs.runner import TrialsFailed, run  # noqa: E402
from tasks.errors import InputError  # noqa: E402
from tests import mini  # noqa: E402
from tests.performance.farm import Farm, config, predictions  # noqa: E402

TRIALS, STEPS = 8, 6


def asked(notes: Path, trials: int):
    return config("trained", trials, epochs=STEPS, pause=0.25, notes=str(notes))


def drive(folder: Path, out: Path, trials: int, lose_node: bool) -> int:
    """Run the walks on two workers; what a disaster befalls."""
    from benchmark.engines.cluster import require_ray
    from benchmark.engines.ray import RayEngine
    from tasks.task import open_folder

    task = open_folder(mini.DEFINITION, folder / "out")
    settings, display, nodes = EngineSettings("ray", workers=2), lambda standing: None, None
    if lose_node:
        require_ray()
        from ray.cluster_utils import Cluster

        size = {"object_store_memory": 100 * 2**20}
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **size})
        other = nodes.add_node(num_cpus=1, **size)
        settings = EngineSettings("ray", address=nodes.address)

        def display(standing):
            if standing.done == 3 and nodes.worker_nodes:
                nodes.remove_node(other, allow_graceful=False)
                print("a node is gone", flush=True)

    try:
        run(asked(folder, trials), task, Farm(), out, engine=RayEngine(settings), display=display, report=print)
    except InputError as error:
        print(f"error: {error}")
        return 2
    except TrialsFailed as error:
        print("\n".join(map(str, error.failed)))
        return 1
    finally:
        if nodes is not None:
            import ray

            ray.shutdown()
            nodes.shutdown()
    return 0


class Disaster:
    """One disaster: starts the run, strikes, runs again, looks."""

    def __init__(self, name: str, folder: Path, trials: int) -> None:
        self.name, self.folder, self.out, self.trials = name, folder, folder / "run", trials
        self.kept: dict[int, int] = {}
        self.walked = 0
        mini.build(folder)

    def start(self, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--drive", str(self.folder), str(self.out), *flags]
        command += ["--trials", str(self.trials)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def finish(self, process: subprocess.Popen[str]) -> int:
        text, _ = process.communicate(timeout=300)
        for line in text.splitlines():
            print(f"    {line}")
        return process.returncode

    def finished(self) -> dict[str, str]:
        """Return the finished trials and when they were finished."""
        found = {}
        for path in self.out.glob("trials/*/trial.json"):
            if not path.parent.name.startswith("."):
                found[path.parent.name] = json.loads(path.read_text())["finished"]
        return found

    def note_kept(self) -> None:
        """Remember which steps the store holds before the last run, and how many were walked by then."""
        time.sleep(5)  # workers whose driver is dead may walk on for a moment
        self.walked = len((self.folder / "epochs").read_text().splitlines())
        for path in self.out.glob("trials/.working-*/state/state.json"):
            seed = json.loads((path.parents[1] / "trial.json").read_text())["seed"]
            self.kept[seed] = json.loads(path.read_text())["epoch"]

    def walked_again(self) -> int:
        """Return how many steps the last run walked that the store held before."""
        steps = [line.split() for line in (self.folder / "epochs").read_text().splitlines()[self.walked :]]
        return sum(int(epoch) <= self.kept.get(int(seed), 0) for seed, _, epoch in steps)

    def wait(self, done: int) -> None:
        """Wait until some trials are done and another is in the middle of its steps."""
        for _ in range(2400):
            states = list(self.out.glob("trials/.working-*/state/state.json"))
            if len(self.finished()) >= done and states:
                return
            time.sleep(0.05)
        raise TimeoutError(f"{self.name}: nothing to strike at")

    def strike(self) -> tuple[list[int], dict[str, str]]:
        """Let it happen; return the exit codes of the runs, and what was finished before the last."""
        if self.name == "worker":
            process = self.start()
            self.wait(2)
            # It falls on whichever trial is in the middle of its steps.
            working = next(self.out.glob("trials/.working-*/state/state.json")).parents[1]
            pid = int(re.search(r"process (\d+)", json.loads((working / "trial.json").read_text())["where"])[1])
            os.kill(pid, signal.SIGKILL)
            return [self.finish(process)], {}
        if self.name == "driver":
            process = self.start()
            self.wait(2)
            process.kill()
            process.communicate()
            before = self.finished()
            self.note_kept()
            return [-signal.SIGKILL, self.finish(self.start())], before
        if self.name == "node":
            return [self.finish(self.start("--lose-node"))], {}
        return self.fill_disk()

    def fill_disk(self) -> tuple[list[int], dict[str, str]]:
        """Give the run a file system that has room for some of its trials."""
        self.out = self.folder / "small" / "run"
        self.out.parent.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(self.out.parent)]
        if subprocess.run(mount, capture_output=True).returncode:
            raise PermissionError("mounting a file system is not allowed here")
        ballast = self.out.parent / "ballast"
        ballast.write_bytes(bytes(210 * 1024))
        first = self.finish(self.start())
        before = self.finished()
        self.note_kept()
        ballast.unlink()
        return [first, self.finish(self.start())], before

    def check(self) -> bool:
        """Strike and compare; return whether all is well."""
        from tasks.task import open_folder

        try:
            codes, before = self.strike()
        except PermissionError as error:
            print(f"{self.name}: not measured, {error}")
            return True
        try:
            task = open_folder(mini.DEFINITION, self.folder / "out")
            steps = Counter((self.folder / "epochs").read_text().splitlines())
            twice, again = sum(count - 1 for count in steps.values()), self.walked_again()
            walks = asked(self.folder, self.trials)
            run(walks, task, Farm(), self.folder / "undisturbed", engine=LocalEngine())
            undisturbed = predictions(walks, task, Farm(), self.folder / "undisturbed")
            same = predictions(walks, task, Farm(), self.out) == undisturbed
            after = self.finished()
            repeated = [name for name, when in before.items() if after[name] != when]
        finally:
            if self.name == "disk":
                subprocess.run(["umount", str(self.out.parent)], check=True)
        print(
            f"{self.name}: exit codes {codes}; same predictions: {same}; finished before the last run: {len(before)}, "
            f"of them repeated: {len(repeated)}; steps walked twice: {twice} of {self.trials * STEPS}, "
            f"of them held by the store before the last run: {again}"
        )
        expected = {"worker": [0], "driver": [-9, 0], "node": [0], "disk": [2, 0]}[self.name]
        # What is in the air when it strikes, a step of each of two workers, may be lost. Workers whose driver is dead,
        # or its disk full, walk on until they hear of it; what the store held by then is walked by nobody again.
        allowed = {"worker": 2, "node": 2}.get(self.name, self.trials * STEPS)
        return same and codes == expected and not repeated and twice <= allowed and again == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("disasters", nargs="*", help="worker, driver, node, disk (default: all)")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"walks of {STEPS} steps; at least 4")
    parser.add_argument("--drive", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--lose-node", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drive:
        return drive(*arguments.drive, arguments.trials, arguments.lose_node)
    well = True
    for name in arguments.disasters or ("worker", "driver", "node", "disk"):
        with tempfile.TemporaryDirectory() as folder:
            well &= Disaster(name, Path(folder), arguments.trials).check()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
