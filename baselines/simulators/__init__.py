"""Simulators, with and without a vision-language model or a language model (PROTOCOL section 7).

Where a model runs is not a setting, because it must not change the identity of a trial: the environment variable
GAZEBENCH_DEVICE names the device (``cpu``, ``cuda``, ``cuda:1``), by default the first GPU if there is one. The number
format is a setting, ``dtype``; its default depends on the device and is part of a trial's material. Small models run in
one thread.
"""
