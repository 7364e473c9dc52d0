"""Lists and people: rows of registers, pairs that may be one person, and who stands behind several records."""
