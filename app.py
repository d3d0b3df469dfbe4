"""The lab in the browser: `python app.py`, the same as `python -m imgcls serve`. A hosted Space starts this file."""

import sys

from imgcls.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
