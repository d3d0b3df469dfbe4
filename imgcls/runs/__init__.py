"""Runs as folders, processes and states. `imgcls.runs()` calls library/training.py."""
