"""Who comes in, and whether: what stands before Flask, signing in, rights, and turning away what is too much."""
