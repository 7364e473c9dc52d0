"""SQL for reading what routes and pages show, as plain rows."""
