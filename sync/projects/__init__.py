"""Projects: their settings, places, and the forms that are published in them."""
