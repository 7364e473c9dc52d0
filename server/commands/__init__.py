"""The commands of `siby`, by what they are about."""
