"""Measures how fast and how large the product is, on this machine, against what each part must cost at the least."""
