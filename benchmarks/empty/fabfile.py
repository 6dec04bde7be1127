"""A fabfile with nothing in it but one task: without any, `fab --list` ends with an error."""

from invoke import Context, task


@task
def nothing(context: Context) -> None:
    """Do nothing."""
