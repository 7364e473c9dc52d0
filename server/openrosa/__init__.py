"""The door for ODK Collect, Enketo and other clients that speak OpenRosa."""
