"""The tablets: how each does, its codes, and the rows that it gets."""
