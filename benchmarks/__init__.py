"""What backs every speed that the documentation claims. `python -m benchmarks` prints the table."""
