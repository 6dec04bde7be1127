def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return "{}: {}".format(type(error).__name__, str(error).strip().split("\n")[0])
