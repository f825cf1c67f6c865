"""Simulators that rest on a vision-language model or a language model (PROTOCOL section 7).

Where a model runs is no setting, because it must not shape what a trial is: the environment variable GAZEBENCH_DEVICE
names the device (``cpu``, ``cuda``, ``cuda:1``), by default the first GPU if there is one. The number format is a
setting, ``dtype``; its default goes by the device and is part of a trial's material. Small models run in one thread.
"""
