"""The error that a command prints as one line, and not as a traceback."""


class UserError(Exception):
    """A problem that the user can fix; its text says what and how."""

    code = 2  # the command's exit code: 2 for wrong usage, 1 where the command found something
