"""Simulators of the order of looking: where the eyes go next, given the path so far (PROTOCOL section 10)."""
