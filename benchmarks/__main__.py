"""`python -m benchmarks`: every row's speed in one table; see train_speed.py."""

from benchmarks.train_speed import main

main("all")
