"""Sweeps on the Train tab: several values of a setting, several seeds, and what came of it."""
