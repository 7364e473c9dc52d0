"""Our own sheets as values, and what a submission adds to the indicators that they define."""
