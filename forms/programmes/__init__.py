"""Programme folders: settings, places, workbooks, media, entity lists and statement texts, read together."""
