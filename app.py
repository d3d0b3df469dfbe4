"""The lab in the browser: `python app.py`, the same as `python -m imgcls serve`. A hosted Space starts this file."""

import sys

from imgcls.cli.other_python import go_on_elsewhere

if __name__ == "__main__":
    try:
        from imgcls.cli.main import main
    except ModuleNotFoundError as error:
        sys.exit(go_on_elsewhere(error))
    sys.exit(main(["serve", *sys.argv[1:]]))
