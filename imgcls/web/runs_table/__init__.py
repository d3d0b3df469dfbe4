"""The table of all runs on the Train tab: found, sorted, marked, laid side by side."""
