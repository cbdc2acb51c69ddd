"""`python3 -m examples.ask` where it cannot go well."""

import socket
from contextlib import closing

import pytest

from examples import ask


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (["CLIENT_ID"], "Not set: CLIENT_ID. Type: . var/platform.env\n"),
        (
            ["SLUICE", "CLIENT_ID", "REDIRECT_URI"],
            "Not set: SLUICE, CLIENT_ID, REDIRECT_URI. Type: . var/platform.env\n",
        ),
    ],
)
def test_what_is_not_set_is_told_with_what_sets_it(
    missing: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ask"])
    for name in ("SLUICE", "CLIENT_ID", "REDIRECT_URI"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/callback")
    for name in missing:
        monkeypatch.delenv(name)

    assert ask.main() == 2
    assert capsys.readouterr().err == told


@pytest.fixture
def told_of_a_platform(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("sys.argv", ["ask"])
    for name, value in (
        ("SLUICE", "http://127.0.0.1:9"),
        ("CLIENT_ID", "one"),
        ("REDIRECT_URI", "http://127.0.0.1:9/c"),
    ):
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_place_where_another_one_waits_already_is_told_in_a_line(
    told_of_a_platform: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        place = f"http://127.0.0.1:{other.getsockname()[1]}/callback"
        told_of_a_platform.setenv("REDIRECT_URI", place)

        assert ask.main() == 1

    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == f"No answer can come to {place}: Address already in use."
    assert told.out == "", "a shell would take it for variables"


def test_whoever_gives_up_sees_no_traceback(
    told_of_a_platform: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    told_of_a_platform.setattr(ask, "_wait", interrupted)

    assert ask.main() == 130
    assert capsys.readouterr().out == ""


def test_an_option_that_there_is_none_of_is_refused(told_of_a_platform: pytest.MonkeyPatch) -> None:
    told_of_a_platform.setattr("sys.argv", ["ask", "--scope-of-everything"])

    with pytest.raises(SystemExit) as left:
        ask.main()

    assert left.value.code == 2
