"""Encrypted forms after the ODK encryption specification: keys of a project, and what opens only with them."""
