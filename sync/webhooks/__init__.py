"""Webhooks: programs elsewhere are told of what happens in a project, in order and until they have heard it."""
