"""``stress``: what the clicks and the attention of a run's simulators depend on."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("run", type=Path, metavar="RUN", help="folder of a finished run")
    add("--simulators", metavar="A,B", help="which of the run's simulators (default: all)")
    add("--relabel", action="store_true", help="deal the letters or numbers on the screen again: item or label?")
    add("--swap-users", action="store_true", help="give each user another user's prompt: is the gain personal?")
    add(
        "--label-leak", action="store_true", help="offer label-conditioned attention a wrong label: how far does it go?"
    )
    add("--layout", action="store_true", help="mirror the columns: position or content?")
    add("--steer", action="store_true", help="push the attention of gaze heads to a slot: does the answer go there?")
    add("--transfer", metavar="TASK", help="use the tuned prompts on another task's test sessions, such as adserp")
    add("--seed", type=int, metavar="N", help="seed of the conditions (default: 0, the published one)")
    add("--data", metavar="DIR|sample", help="the run's data (default: what the run was made from)")
    add("--transfer-data", metavar="DIR|sample", help="data of the other task (default: as for 'run')")
    add("--screens", type=Path, metavar="DIR", help="also write some altered screens as PNG")
    add("--json", action="store_true", help="print stress.json instead of tables")


def call(arguments: argparse.Namespace) -> int:
    """Test, write and print."""
    from baselines import registry
    from benchmark.scores import results
    from benchmark.stress import conditions, records
    from benchmark.stress.running import Bench
    from benchmark.stress.study import Study, write_screens
    from benchmark.trials import own_files
    from benchmark.trials.extended import with_files
    from tasks.altered import SEED
    from tasks.registry import definition

    chosen = [test for test in conditions.ALL if getattr(arguments, test.replace("-", "_"))]
    tests = chosen if chosen or arguments.transfer else list(conditions.TESTS)
    seed = SEED if arguments.seed is None else arguments.seed
    if seed < 0:
        raise InputError(f"--seed is {seed}; give a whole number of at least 0.")
    found = results.read(arguments.run)
    if arguments.transfer == found.task:
        raise InputError(f"--transfer {found.task}: the run was made on that task; name another.")
    if arguments.transfer:
        definition(arguments.transfer)
    names = options.words(arguments.simulators) if arguments.simulators else None
    files = [f for row in found.simulators if (f := own_files.factory_in(arguments.run, row.name))]
    catalogue, _ = with_files(registry, registry.construct, files, [Path()])
    task = options.load_task(found.task, arguments.data or found.data)
    bench = Bench(
        task=task,
        split=found.split,
        folder=arguments.run / records.FOLDER,
        catalogue=catalogue,
        drawing=definition(found.task).labels,
        seed=seed,
        report=options.say,
        progress=options.bar,
    )
    study = Study.of(arguments.run, bench, names)
    if arguments.screens is not None:
        for path in write_screens(arguments.screens, study.sessions, bench):
            options.say(str(path))
    other = options.load_task(arguments.transfer, arguments.transfer_data) if arguments.transfer else None
    written = study.test(tests, other)
    if arguments.json:
        sys.stdout.write(records.to_json(written))
    else:
        shown = [*tests, *([f"transfer {other.name}"] if other is not None else [])]
        options.show(records.document(written, shown, names))
        options.say(f"written to {arguments.run / records.FOLDER}: {records.FILE}, predictions by condition")
    return 0
