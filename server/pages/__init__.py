"""The pages for people, made on the server: they need no script and work on a phone."""
