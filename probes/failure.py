def first_line(error: BaseException) -> str:
    """Return an error's type and the first line of its message."""
    return "{}: {}".format(type(error).__name__, str(error).strip().split("\n")[0])
