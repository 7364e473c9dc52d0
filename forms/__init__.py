"""What a form is: pure, with no database, no clock and no network. `sync` and `server` import it, never the reverse."""
