"""The error that a command prints as one line, and not as a traceback."""


class UserError(Exception):
    """Something that the user can put right; its text says what and how.

    Attributes
    ----------
    code : the exit code of a command that ends with it: 2 for wrong usage, 1 for something that was found
    """

    code = 2
