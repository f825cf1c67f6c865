"""Probing operators: how much the answer at the last position depends on each earlier token (PROTOCOL section 6)."""
