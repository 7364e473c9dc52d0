"""Forms and instances: an XForm compiled, a filled form read, checked, taken apart and made."""
