"""How trials are carried out; nothing here can change what they find, so nothing here enters their identity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from tasks.errors import InputError, unknown_name

ENGINES = ("local", "ray")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engine, and what each trial may use.

    Attributes:
        name: ``local`` (one trial after the other in this process) or ``ray``.
        address: Ray cluster to join: ``auto``, HOST or HOST:PORT; None starts Ray on this machine.
        workers: Trials at a time; None for as many as the CPUs and GPUs allow.
        cpus: CPUs of a trial, and its threads (at least one).
        gpus: GPUs of a trial whose simulator has a model; a fraction lets several share one. None: a whole GPU where
            there is one. A trial without a model takes none.
    """

    name: str = "local"
    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise unknown_name("engine", self.name, ENGINES)
        if self.name == "local":
            for key, value in (("address", self.address), ("workers", self.workers), ("gpus", self.gpus)):
                if value is not None:
                    raise InputError(f"{key} is a setting of the engine ray; give --engine ray too.")
        if self.address is not None and self.address.startswith("ray://"):
            raise InputError(
                "an address that begins with ray:// is that of a Ray client; join the cluster with 'ray start "
                "--address=HOST:6379' on this machine and give --address auto."
            )
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers is {self.workers}; it must be at least 1.")
        if not 0 < self.cpus < math.inf:
            raise InputError(f"cpus is {self.cpus}; it must be a number above 0.")
        if self.gpus is not None and not 0 <= self.gpus < math.inf:
            raise InputError(f"gpus is {self.gpus}; it must be a number of at least 0.")
        if self.gpus is not None and self.gpus > 1 and self.gpus != int(self.gpus):
            raise InputError(f"gpus is {self.gpus}; above 1 it must be a whole number.")

    @property
    def threads(self) -> int:
        """Threads of a trial."""
        return max(1, int(self.cpus))


def engine_settings(values: Mapping[str, object]) -> EngineSettings:
    """Return settings from a configuration's ``engine`` section.

    Raises:
        InputError: An unknown key, or a value of the wrong type or range.
    """
    known = {field.name for field in fields(EngineSettings)}
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "address": (str,),
        "workers": (int,),
        "cpus": (int, float),
        "gpus": (int, float),
    }
    for key, value in values.items():
        if key not in known:
            raise unknown_name("key of 'engine':", key, sorted(known))
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds[key])):
            what = "text" if kinds[key] == (str,) else "a whole number" if kinds[key] == (int,) else "a number"
            raise InputError(f"engine: '{key}' must be {what}, not {value!r}.")
    return EngineSettings(**{key: value for key, value in values.items() if value is not None})  # type: ignore[arg-type]
