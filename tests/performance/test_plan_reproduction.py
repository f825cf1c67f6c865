"""The arithmetic of the planning simulation."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.performance.plan_reproduction import Costs, Job, makespan, of_plans, of_runs, plan

JOBS = [Job("a", 4.0), Job("b", 7.0), Job("a", 2.0), Job("b", 1.0)]
FREE = Costs("test", (), startup=0.0, load=0.0, node_bytes=0.0, bandwidth=10.0, per_node=2)


def costs(**values):
    return dataclasses.replace(FREE, **values)


def test_one_worker_takes_the_sum():
    assert makespan(JOBS, 1, FREE) == 14.0
    # It loads each backbone once, fetches once, and starts meanwhile.
    assert makespan(JOBS, 1, costs(startup=3.0, load=5.0, node_bytes=20.0)) == 3.0 + 2 * 5.0 + 14.0
    assert makespan(JOBS, 1, costs(startup=1.0, load=5.0, node_bytes=20.0)) == 2.0 + 2 * 5.0 + 14.0


def test_any_number_of_workers_take_the_longest_trial_and_what_precedes_it():
    assert makespan(JOBS, 4, FREE) == makespan(JOBS, 1000, FREE) == 7.0
    assert makespan(JOBS, 1000, costs(startup=3.0, load=5.0)) == 3.0 + 5.0 + 7.0


def test_two_workers_share_by_backbone():
    # One takes b: 7 and 1, the other a: 4 and 2; it is free first, but loading b would take longer than b has left.
    assert makespan(JOBS, 2, costs(load=5.0)) == 5.0 + 8.0
    # Where loading is quick, it takes the last trial of b.
    assert makespan(JOBS, 2, costs(load=0.5)) == 0.5 + 4.0 + 2.0 + 0.5 + 1.0


def test_nodes_fetch_one_after_the_other():
    equal = [Job("a", 1.0)] * 6
    # 2 s per node: workers 0 and 1 begin at 2 s, 2 and 3 at 4 s; by then the first two have done four of the six.
    assert makespan(equal, 4, costs(node_bytes=20.0)) == 5.0
    assert makespan(equal, 2, costs(node_bytes=20.0)) == 5.0
    assert makespan(equal, 6, costs(node_bytes=1.0)) == pytest.approx(1.3)


def test_the_longest_trials_go_first():
    assert makespan([Job("a", 1.0), Job("a", 1.0), Job("a", 2.0)], 2, FREE) == 2.0


@pytest.mark.parametrize(
    ("changed", "workers", "bottleneck"),
    [
        ({}, 1, "GPU work"),
        ({}, 4, "longest trial"),
        ({"startup": 100.0}, 4, "start-up and loading"),
        ({"load": 100.0}, 4, "start-up and loading"),
        ({"node_bytes": 1000.0}, 4, "data transfer"),
    ],
)
def test_the_bottleneck_is_what_costs_most(changed, workers, bottleneck):
    found = plan(JOBS, workers, costs(**changed))
    assert found.bottleneck == bottleneck
    assert found.causes["GPU work"] == makespan(JOBS, workers, FREE) - 7.0
    assert found.causes["longest trial"] == makespan(JOBS, workers, FREE) - 14.0 / workers
    assert found.busy == pytest.approx(14.0 / workers / found.seconds)


def test_costs_are_read_from_finished_trials(tmp_path):
    for number, (backbone, seconds) in enumerate([("x", 3.0), ("x", 5.0), (None, 1.0)]):
        folder = tmp_path / "trials" / str(number)
        folder.mkdir(parents=True)
        settings = {} if backbone is None else {"backbone": backbone}
        (folder / "trial.json").write_text(json.dumps({"settings": settings, "cost": {"seconds": seconds}}))
    assert of_runs([tmp_path], 2.0).jobs == (Job("x", 1.5), Job("x", 2.5))
    with pytest.raises(SystemExit, match="no finished trial"):
        of_runs([tmp_path / "trials"], 1.0)


def test_costs_are_read_from_a_plan(mini, tmp_path):
    from benchmark.runs import planning
    from benchmark.trials.configuration import RunConfig
    from benchmark.trials.store import TrialStore
    from benchmark.trials.trial import expand
    from tests.benchmark.toys import Toys

    path = tmp_path / planning.FILE
    trials = expand(RunConfig(task="mini", simulators=("noisy", "sharp"), seeds=(1, 2, 3)), mini, Toys())
    found = planning.plan({"mini": trials}, lambda name: mini, TrialStore(tmp_path), path, sessions=2)
    jobs = of_plans([path], 4.0).jobs
    assert [job.seconds for job in jobs] == [found.rows[0].seconds / 4] * 3 + [found.rows[1].seconds / 4]
    assert "simulated: seven invented users" in of_plans([path], 1.0).source
