"""`python3 -m examples.ask` where the shell has not been told of the platform."""

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
