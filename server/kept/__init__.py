"""What takes long is worked out once, kept, and brought up to date; a page says meanwhile how far it is."""
