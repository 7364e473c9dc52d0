"""Taking data in: batches, files, quarantine. Two doors call this one room."""
