"""The lab in the browser: `python app.py`, the same as `python -m imgcls serve`. A hosted Space starts this file."""

import sys

from imgcls.cli.other_python import run_command

if __name__ == "__main__":
    sys.exit(run_command(["serve", *sys.argv[1:]]))
