import sys

from imgcls.cli.other_python import go_on_elsewhere

if __name__ == "__main__":
    try:
        from imgcls.cli.main import main
    except ModuleNotFoundError as error:
        sys.exit(go_on_elsewhere(error))
    sys.exit(main())
