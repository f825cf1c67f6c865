"""Ray itself: imported when it is asked for, started here or joined elsewhere."""

import contextlib
import logging
import math
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import check_packages
from benchmark.engines.settings import EngineSettings
from tasks.errors import InputError

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # The suite has one display and one store of its own: Tune's loggers would write every result a second time.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # An interrupt shall end the run at once, as it does on the engine local.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Relative paths in settings keep their meaning.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
_PORT = 6379
_STORE = 512 * 2**20
"""Bytes of Ray's object store in addition to what is known to go there."""


def require_ray() -> Any:
    """Import and return Ray, with its Tune.

    InputError if it is not installed, or if the current folder, where its workers look first, hides a package.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.tune
    except ModuleNotFoundError as error:
        line = f"{error.name} is not installed; the engine ray needs it: pip install 'ray[tune]'."
        raise InputError(line) from error
    try:
        check_packages(Path.cwd())
    except ImportError as error:
        raise InputError(str(error)) from error
    return ray


@contextlib.contextmanager
def cluster(settings: EngineSettings, payload: int) -> Iterator[Any]:
    """Give Ray, connected: the session that this process has, or a cluster that is joined or started for the while.

    Within the context nothing is printed to standard output. ``payload`` bytes will be put into the object store.
    InputError if Ray is not installed, cannot be started, or there is no cluster at the address.
    """
    ray = require_ray()
    # What matters reaches the person through the ledger. Ray prints besides, pages of it when a machine is lost.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        if ray.is_initialized():
            yield ray
            return
        _connect(ray, settings, payload)
        try:
            yield ray
        finally:
            ray.shutdown()


def _connect(ray: Any, settings: EngineSettings, payload: int) -> None:
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if settings.address is None:
            cpus = max(math.ceil((settings.workers or 1) * settings.cpus), os.cpu_count() or 1)
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=_STORE + 2 * payload,
                **common,
            )
        else:
            address = settings.address
            if address != "auto":
                address = address if ":" in address else f"{address}:{_PORT}"
                # Ray itself tries for minutes.
                host, _, port = address.rpartition(":")
                socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            device = os.environ.get("GAZEBENCH_DEVICE")  # workers on other machines do not see this environment
            known = None if device is None else {"env_vars": {"GAZEBENCH_DEVICE": device}}
            ray.init(address=address, runtime_env=known, **common)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError, AssertionError) as error:
        where = f"join the Ray cluster at {settings.address}" if settings.address else "start Ray on this machine"
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"cannot {where}: {first.rstrip('.')}. A machine joins a cluster with 'ray start --address=HOST:{_PORT}'; "
            "where the cluster has a token, RAY_AUTH_MODE=token must be set here, too."
        ) from error


@dataclass(frozen=True, slots=True)
class Room:
    """What a cluster has for trials.

    Attributes:
        gpus: GPUs of a trial with a model, or of each worker of one that is shared out, if nothing else is known.
        shared_abreast: So many that are shared out among workers.
        memory: Bytes of memory of the largest machine, None if Ray does not tell.
    """

    gpus: float
    shared_abreast: int = 0
    memory: int | None = None


def room(nodes: Sequence[Mapping[str, float]], settings: EngineSettings, on_cpu: bool = False) -> Room:
    """Return what there is for trials on machines with some of Ray's resources, name -> amount each.

    With ``on_cpu``, models run on the CPU though there are GPUs. InputError if there is less than one trial asks for.
    """
    cpus = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    if settings.cpus > cpus:
        raise InputError(f"a trial asks for {settings.cpus:g} CPUs; the largest machine has {cpus:g}. Lower --cpus.")
    fitting = [math.floor(node.get("CPU", 0.0) / settings.cpus + 1e-9) for node in nodes]
    whole = 1.0 if gpus >= 1 and not on_cpu else 0.0
    memory = int(max((node.get("memory", 0.0) for node in nodes), default=0.0)) or None
    if settings.deepspeed is None:
        wanted = whole if settings.gpus is None else settings.gpus
        if wanted > gpus:
            raise InputError(f"a trial asks for {wanted:g} GPUs; the largest machine has {gpus:g}. Lower --gpus.")
        return Room(wanted, memory=memory)
    each = whole if settings.gpus is None else min(settings.gpus, 1.0)
    with_gpu = [min(count, int(node.get("GPU", 0.0))) for count, node in zip(fitting, nodes, strict=True)]
    workers, kind = (sum(with_gpu), "a GPU and ") if each else (sum(fitting), "")
    if settings.processes > workers:
        raise InputError(
            f"a trial asks for {settings.processes} workers with {kind}{settings.cpus:g} CPU each; there is room for "
            f"{workers}. Lower --workers-per-trial{' (or give --gpus 0)' if each else ''}."
        )
    at_a_time = workers // settings.processes
    return Room(each, min(at_a_time, settings.workers or at_a_time), memory)


@contextlib.contextmanager
def awaited(ray: Any, settings: EngineSettings, on_cpu: bool, report: Callable[[str], None]) -> Iterator[Room]:
    """Give what there is for trials, once one fits; a cluster that can grow is asked for what is missing.

    ``on_cpu`` as for :func:`room`; ``report`` gets a line on what is waited for. InputError if a trial fits nowhere,
    and no machine that joins will change that in time.
    """
    from ray.autoscaler.sdk import request_resources

    until, told = time.monotonic() + settings.wait, False
    try:
        while True:
            try:
                found = room([node["Resources"] for node in ray.nodes() if node["Alive"]], settings, on_cpu)
                break
            except InputError as error:
                if settings.address is None or not settings.wait:
                    raise
                if time.monotonic() > until:
                    raise InputError(
                        f"{error} Waited {settings.wait:g} s for a machine; --wait waits longer."
                    ) from error
                if not told:
                    told = True
                    report(f"waits {settings.wait:g} s at most for a machine: {str(error).rpartition('. ')[0]}.")
                    each = {"CPU": settings.cpus, **({"GPU": settings.gpus} if settings.gpus else {})}
                    request_resources(bundles=[each] * max(settings.workers or 1, settings.processes))
            time.sleep(1.0)
        yield found
    finally:
        if told:
            request_resources(bundles=[])


def gpu_memory(ray: Any) -> int | None:
    """Return the memory of the smallest GPU of the cluster in bytes, None if a machine with GPUs does not tell."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    places = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0.0) >= 1]
    ask = ray.remote(num_cpus=0, max_retries=0)(_ask_driver)
    answers = [ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(i, soft=False)).remote() for i in places]
    try:
        found = [smallest(text) for text in ray.get(answers, timeout=60)]
    except Exception:  # whatever it is, a share is not worth the run
        return None
    known = [size for size in found if size is not None]
    return min(known) if known and len(known) == len(found) else None


def _ask_driver() -> str:
    """Return what the GPUs' driver says of them: MiB of memory and whether they are cut up, a line each."""
    query = ["nvidia-smi", "--query-gpu=memory.total,mig.mode.current", "--format=csv,noheader,nounits"]
    return subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout


def smallest(text: str) -> int | None:
    """Return the memory of the smallest GPU in bytes; None if a line is not understood, or a GPU is cut up.

    ``text`` has a line per GPU: MiB of memory, a comma, and ``Enabled`` if it is cut up (MIG).
    """
    sizes = []
    for line in filter(None, map(str.strip, text.splitlines())):
        size, _, cut = line.partition(",")
        if not size.strip().isdigit() or cut.strip() == "Enabled":
            return None
        sizes.append(int(size) * 2**20)
    return min(sizes, default=None)


def first_node(ray: Any) -> Any:
    """Return the scheduling strategy that puts an actor on this machine, where it outlives every other one."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
