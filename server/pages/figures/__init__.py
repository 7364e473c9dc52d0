"""Indicators and statements: each figure down to its visits, and what was given out of them."""
