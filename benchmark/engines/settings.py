"""How trials are carried out.

Nothing here can change what they find, so nothing enters their identity, with one exception: a trial that DeepSpeed
shares out among several processes (``Trial.parallel``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from benchmark.trials.configuration import ENGINE
from tasks.decoding import decode
from tasks.errors import InputError, require_known

ENGINES = ("local", "ray")
WORKERS_PER_TRIAL = 2
"""Workers that share a trial where neither their number nor that of its GPUs is given."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engine, and what each trial may use.

    Attributes:
        name: ``local`` (processes of this machine) or ``ray``.
        address: Ray cluster to join: ``auto``, HOST or HOST:PORT; None starts Ray on this machine.
        workers: Trials at a time; None for as many as cores, GPUs and memory allow. With ``local`` and 1 everything
            happens in one process.
        cpus: CPUs of a trial, and its threads (at least one).
        gpus: GPUs of a trial whose simulator has a model; a fraction lets several share one. None: what finished
            trials of the same simulator and model have needed, a whole one where nothing is known, none where there is
            none. A trial without a model takes none.
        deepspeed: Name or path of a DeepSpeed configuration: trials with a model are shared out among processes, those
            of torchrun with ``local``, Ray Train's workers with ``ray``.
        workers_per_trial: Number of these workers, with ``ray`` alone; each takes ``cpus`` CPUs, and one GPU where
            there are any. None: as many as ``gpus`` says, else 2.
    """

    name: str = "local"
    address: str | None = None
    workers: Annotated[int, Meta(ge=1)] | None = None
    cpus: Annotated[float, Meta(gt=0)] = 1.0
    gpus: Annotated[float, Meta(ge=0)] | None = None
    deepspeed: str | None = None
    workers_per_trial: Annotated[int, Meta(ge=1)] | None = None
    wait: Annotated[float, Meta(ge=0)] = 600.0

    def __post_init__(self) -> None:
        require_known("engine", [self.name], ENGINES)
        if self.name == "local":
            for key in ("address", "gpus", "workers_per_trial"):
                if getattr(self, key) is not None:
                    raise InputError(f"{key} is a setting of the engine ray; give --engine ray too.")
        if self.address is not None and self.address.startswith("ray://"):
            raise InputError(
                "an address that begins with ray:// is that of a Ray client; join the cluster with 'ray start "
                "--address=HOST:6379' on this machine and give --address auto."
            )
        if self.gpus is not None and self.gpus > 1 and self.gpus != int(self.gpus):
            raise InputError(f"gpus is {self.gpus}; above 1 it must be a whole number.")
        self._check_sharing()

    def _check_sharing(self) -> None:
        """Check what concerns trials of several workers; InputError if the settings do not go together."""
        given = self.workers_per_trial
        if given is not None and self.deepspeed is None:
            raise InputError(
                f"workers_per_trial is {given}, but only DeepSpeed shares a trial out; give deepspeed too: zero3."
            )
        if self.deepspeed is None or not self.gpus:
            return
        if self.gpus < 1:
            raise InputError(
                f"gpus is {self.gpus:g}: with deepspeed each worker of a trial has a whole GPU, or none (0)."
            )
        if given is not None and given != self.gpus:
            raise InputError(
                f"gpus is {self.gpus:g} and workers_per_trial is {given}: each worker has one GPU; give one of the two."
            )

    @property
    def threads(self) -> int:
        """Threads of a trial."""
        return max(1, int(self.cpus))

    @property
    def processes(self) -> int:
        """Workers that share a trial with a model."""
        if self.deepspeed is None:
            return 1
        return self.workers_per_trial or int(self.gpus or 0) or WORKERS_PER_TRIAL


def engine_settings(values: Mapping[str, object], where: str = ENGINE) -> EngineSettings:
    """Return settings from a configuration's ``engine`` section; null stands for the default.

    InputError for an unknown key, or a value of the wrong type or range; ``where`` is named.
    """
    return decode(EngineSettings, {k: v for k, v in values.items() if v is not None}, where, "correct it")
