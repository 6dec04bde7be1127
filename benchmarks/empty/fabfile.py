"""A fabfile with a single task, because `fab --list` fails without any."""

from invoke import Context, task


@task
def nothing(context: Context) -> None:
    """Do nothing."""
