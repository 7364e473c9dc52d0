"""Moving in from another server: what it holds is read over its own interface and stored here under the same ids."""
