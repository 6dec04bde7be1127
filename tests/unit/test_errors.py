"""The errors that an operator sees."""

from __future__ import annotations

from aerodrome.errors import AerodromeError, FleetError, HostError, InvalidInput


def test_all_mistakes_are_one_message() -> None:
    error = InvalidInput(["a", "b"], "hint")
    assert (error.problems, str(error), error.hint) == (["a", "b"], "a\nb", "hint")
    assert InvalidInput("a").problems == ["a"]


def test_a_fleet_names_each_host_that_failed_once() -> None:
    failures = [HostError("w2", "s", "x"), HostError("w1", "s", "y"), HostError("w2", "t", "z")]
    assert str(FleetError(failures)) == "failed on w1, w2"


def test_every_error_ends_the_program_with_1() -> None:
    errors = [AerodromeError("x"), InvalidInput("x"), HostError("h", "s", "x"), FleetError([])]
    assert {error.exit_code for error in errors} == {1}
