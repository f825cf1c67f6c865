"""One trial on several processes with DeepSpeed ZeRO: the same numbers, shared work, less memory each.

Processes started by torchrun or Ray Train enter ``session`` and then run the same code; simulators find the group by
themselves. ZeRO-2 shares the sessions of a step and the prompt's optimiser; ZeRO-3 also splits the frozen backbone,
so that each process keeps its part of the weights and gathers one layer at a time.
"""

from baselines.distributed.launch import session
from baselines.distributed.settings import ZeroSettings, names, read

__all__ = ["ZeroSettings", "names", "read", "session"]
