"""One module a command of the terminal, each with `run(arguments) -> exit code`."""
