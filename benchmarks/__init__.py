"""What backs every speed that the README claims. `python -m benchmarks` prints the table."""
