"""Submissions: the table, each one alone, review, editing, the bin, and what could not be filed."""
