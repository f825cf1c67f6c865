"""The checks of ``doctor`` on the rows of predictions files."""
