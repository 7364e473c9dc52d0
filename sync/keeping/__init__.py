"""Keeping an installation safe: all of it in one file, and back."""
