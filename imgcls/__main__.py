import sys

from imgcls.cli.other_python import run_command

if __name__ == "__main__":
    sys.exit(run_command())
