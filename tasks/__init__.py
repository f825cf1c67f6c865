"""Tasks: recorded sessions of people looking and clicking, with fixed splits."""
