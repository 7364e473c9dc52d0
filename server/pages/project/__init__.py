"""A project as a whole: its overview, settings, team, exports and webhooks."""
