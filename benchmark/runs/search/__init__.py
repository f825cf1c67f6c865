"""Choosing a simulator's settings by cross-validation on training sessions (PROTOCOL section 7)."""
