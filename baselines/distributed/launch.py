"""Enter and leave the group of processes that torchrun or Ray Train started."""

import atexit
import contextlib
import ctypes
import importlib.util
import logging
import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from baselines.distributed import group as groups
from baselines.distributed.settings import ZeroSettings, read
from benchmark.engines.resources import environment_variables
from tasks.errors import InputError

_LAUNCHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others before it gives up."""


@contextlib.contextmanager
def session(settings: str | ZeroSettings) -> Iterator[groups.Group]:
    """Within the context simulators share their work with the processes that the launcher started.

    Without a launcher (none of its environment variables is set) the process is a group of its own. A process group
    that is there already, as inside a Ray Train worker, is used and left as it was. One process may enter one session
    after the other. ``settings`` may be the name or path of a DeepSpeed configuration. InputError if DeepSpeed is not
    installed, the launcher's environment is incomplete, there is no such configuration, or this process is in a group
    already.
    """
    chosen = read(settings) if isinstance(settings, str) else settings
    if groups.current() is not None:
        raise InputError("this process is in a DeepSpeed group already; leave it before entering another.")
    from baselines.simulators import loaded

    place, launched = _launched(os.environ)
    device = _device(int(place["LOCAL_RANK"]))
    with environment_variables({**place, loaded.DEVICE: device, "DS_ACCELERATOR": device.partition(":")[0]}):
        _require()
        import torch
        from deepspeed import comm
        from torch import distributed

        from baselines.distributed.weights import Server

        there = distributed.is_initialized()
        backend = "nccl" if device.startswith("cuda") else "gloo"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            comm.init_distributed(dist_backend=backend, auto_mpi_discovery=False, verbose=False, timeout=TIMEOUT)
        if not there and launched:
            # torch cannot join a launcher's processes a second time, so they stay joined for another session.
            atexit.register(_part)
        control = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        rank, size = distributed.get_rank(), distributed.get_world_size()

        def numbers(mine: int) -> list[int]:
            found = [torch.empty(1, dtype=torch.long) for _ in range(size)]
            distributed.all_gather(found, torch.tensor([mine]), group=control)
            return [int(number) for number in found]

        if chosen.partitions and device == "cpu":
            _give_memory_back()
        server = Server(size, numbers if size > 1 else lambda mine: [mine], chosen.live)
        entered = groups.Group(rank, size, torch.device(device), chosen, control, server)
        # A backbone that was loaded before is not split, one that is split is of no use afterwards.
        loaded.forget()
        groups.enter(entered)
        try:
            with warnings.catch_warnings():
                # DeepSpeed gathers through a function that torch has renamed.
                warnings.filterwarnings("ignore", message=".*all_gather_into_tensor", category=FutureWarning)
                yield entered
        finally:
            groups.enter(None)
            loaded.forget()
            server.clear()
            if not there and not launched:
                _part()


def _launched(environment: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """Return what the launcher says, or what makes this process a group of its own, and whether there is a launcher."""
    missing = [name for name in _LAUNCHER if not environment.get(name)]
    if not missing:
        return {name: environment[name] for name in _LAUNCHER}, True
    if len(missing) < len(_LAUNCHER) and environment.get("WORLD_SIZE", "1") != "1":
        raise InputError(
            f"the environment lacks {', '.join(missing)}, which give a process its place in the group; "
            "start with torchrun --nproc-per-node N -m benchmark run ..."
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return dict(zip(_LAUNCHER, ("0", "0", "1", "127.0.0.1", port), strict=True)), False


def _device(local_rank: int) -> str:
    """Return where this process computes: its own GPU, or the CPU."""
    import torch

    from baselines.simulators import loaded

    asked = loaded.device_name() or ("cuda" if torch.cuda.is_available() else "cpu")
    if not asked.startswith("cuda"):
        return asked
    if local_rank >= torch.cuda.device_count():
        raise InputError(
            f"process {local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}. "
            f"Start as many processes as there are GPUs, or set {loaded.DEVICE}=cpu."
        )
    return f"cuda:{local_rank}"


def require_installed() -> None:
    """Look for DeepSpeed without importing it; InputError if it is not installed."""
    try:
        there = importlib.util.find_spec("deepspeed") is not None
    except ValueError:  # a module that is blocked
        there = False
    if not there:
        raise _not_installed("it is not installed")


def _not_installed(why: object) -> InputError:
    return InputError(f"--deepspeed needs the package deepspeed ({why}); install it with: pip install deepspeed.")


def _require() -> Any:
    """Import DeepSpeed so that it compiles nothing and keeps quiet."""
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import deepspeed
    except ImportError as error:
        raise _not_installed(error) from error
    from deepspeed import ops

    # Its shared-memory collectives are compiled on first use, for a minute; gloo does for messages of this size.
    ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _give_memory_back() -> None:
    """Let the C library return gathered weights to the system as soon as they are let go.

    Left to itself it learns from blocks of that size to keep them, and several layers' worth stays with the process.
    """
    large, option = 2**20, -3  # M_MMAP_THRESHOLD of glibc; other libraries have their own ways
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(option, large)


def _part() -> None:
    """Leave the process group, so that another session can begin."""
    from deepspeed import comm

    comm.destroy_process_group()
    comm.comm.cdb = None
