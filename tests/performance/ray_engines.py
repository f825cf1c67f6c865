"""The same run under every engine: are the predictions the same bytes?

    python tests/performance/ray_engines.py

Real simulators on the built-in sample: priors, a click model, the frozen pocket backbone, gaze heads, a random prompt
and FixATE. Engines: local; local with two threads; ray with one worker and with two; ray on a cluster of two nodes on
this machine. Exit code 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import tasks  # noqa: E402
from baselines import registry  # noqa: E402
from benchmark.engines import EngineSettings, LocalEngine  # noqa: E402
from benchmark.engines.cluster import require_ray  # noqa: E402
from benchmark.engines.ray import RayEngine  # noqa: E402
from benchmark.runs.runner import run  # noqa: E402
from benchmark.trials.configuration import RunConfig, read_preset  # noqa: E402
from tests.performance.farm import predictions  # noqa: E402

SIMULATORS = "position-prior,user-prior,conditional-logit,text,backbone,gaze-heads,random-prompt,fixate"


@contextlib.contextmanager
def two_nodes():
    """Give a cluster of two nodes with one CPU each."""
    ray = require_ray()
    from ray.cluster_utils import Cluster

    size = {"num_cpus": 1, "object_store_memory": 400 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
    cluster.add_node(**size)
    try:
        yield RayEngine(EngineSettings("ray", address=cluster.address))
    finally:
        ray.shutdown()
        cluster.shutdown()


ENGINES = {
    "local": lambda: contextlib.nullcontext(LocalEngine()),
    "local, 2 threads": lambda: contextlib.nullcontext(LocalEngine(threads=2)),
    "ray, 1 worker": lambda: contextlib.nullcontext(RayEngine(EngineSettings("ray", workers=1))),
    "ray, 2 workers": lambda: contextlib.nullcontext(RayEngine(EngineSettings("ray", workers=2))),
    "ray, two nodes": two_nodes,
}
"""Name -> function that gives the engine for the while."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulators", default=SIMULATORS)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument(
        "--only", nargs="+", choices=list(ENGINES), metavar="ENGINE", help="these, each compared with the first of them"
    )
    arguments = parser.parse_args()
    task = tasks.load("recgaze", "sample")
    asked = RunConfig(
        "recgaze",
        simulators=tuple(arguments.simulators.split(",")),
        seeds=tuple(arguments.seeds),
        defaults={**read_preset("quick")["defaults"], "epochs": arguments.epochs},
    )
    reference, different = None, 0
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only or ENGINES:
            out = Path(folder) / name.replace(" ", "-").replace(",", "")
            with ENGINES[name]() as engine:
                start = time.perf_counter()
                run(asked, task, registry, out, engine=engine, report=print)
                whole = time.perf_counter() - start
            found = predictions(asked, task, registry, out)
            reference = reference or found
            differ = sorted(key for key in found if found[key] != reference[key])
            places = {json.loads(p.read_text())["environment"]["where"] for p in out.glob("trials/*/trial.json")}
            print(f"{name:<17} {whole:6.1f} s, {len(found)} files, {len(differ)} differ, {len(places)} workers")
            different += bool(differ) and name != "local, 2 threads"
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
