"""The API for programs and devices: REST and batches, under /v1."""
