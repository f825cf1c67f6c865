"""Ray itself: imported when it is asked for, started here or joined elsewhere."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
"""Bytes of Ray's object store beside what is known to go there."""


def require_ray() -> Any:
    """Import and return Ray, with its Tune.

    Raises:
        InputError: It is not installed.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.tune
    except ModuleNotFoundError as error:
        line = f"{error.name} is not installed; the engine ray needs it: pip install 'gazebench[ray]'."
        raise InputError(line) from error
    return ray


@contextlib.contextmanager
def cluster(settings: EngineSettings, payload: int) -> Iterator[Any]:
    """Give Ray, connected: the session that this process has, or a cluster that is joined or started for the while.

    Within the context nothing is printed to standard output.

    Args:
        settings: The engine's settings.
        payload: Bytes that will be put into the object store.

    Raises:
        InputError: Ray is not installed, cannot be started, or there is no cluster at the address.
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
    """Start Ray on this machine, or join a cluster."""
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
            address = _with_port(settings.address)
            if address != "auto":
                # Ray itself tries for minutes.
                host, _, port = address.rpartition(":")
                socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            ray.init(address=address, runtime_env=_runtime_environment(), **common)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError, AssertionError) as error:
        where = f"join the Ray cluster at {settings.address}" if settings.address else "start Ray on this machine"
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"cannot {where}: {first.rstrip('.')}. A machine joins a cluster with 'ray start --address=HOST:{_PORT}'."
        ) from error


def _with_port(address: str) -> str:
    return address if address == "auto" or ":" in address else f"{address}:{_PORT}"


def _runtime_environment() -> dict[str, Any] | None:
    """Return what workers on other machines must know of this one's environment: the device that is asked for."""
    found = {name: os.environ[name] for name in ("GAZEBENCH_DEVICE",) if name in os.environ}
    return {"env_vars": found} if found else None


def resources(ray: Any, settings: EngineSettings) -> tuple[float, int]:
    """Return the GPUs of a trial with a model, and how many trials run at a time.

    Raises:
        InputError: No machine of the cluster has what one trial asks for.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    if settings.cpus > cpus:
        raise InputError(f"a trial asks for {settings.cpus:g} CPUs; the largest machine has {cpus:g}. Lower --cpus.")
    on_cpu = os.environ.get("GAZEBENCH_DEVICE", "").startswith("cpu")
    wanted = settings.gpus if settings.gpus is not None else 1.0 if gpus >= 1 and not on_cpu else 0.0
    if wanted > gpus:
        raise InputError(f"a trial asks for {wanted:g} GPUs; the largest machine has {gpus:g}. Lower --gpus.")
    abreast = sum(math.floor(node.get("CPU", 0.0) / settings.cpus + 1e-9) for node in nodes)
    return wanted, settings.workers or max(1, abreast)


def first_node(ray: Any) -> Any:
    """Return the scheduling strategy that puts an actor on this machine, where it outlives every other one."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
