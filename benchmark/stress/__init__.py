"""Stress tests: what a simulator's clicks and attention depend on (docs/stress.md).

:mod:`conditions` says what is altered, :mod:`sources` finds the finished trials of a run, :mod:`running` shows altered
stimuli to simulators as their trials left them, :mod:`measures` compares predictions, :mod:`rows` puts numbers and
readings together, :mod:`study` does it all for a run, :mod:`records` keeps what was found next to it.
"""
