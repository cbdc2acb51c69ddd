"""`add_bank`: what cannot work is told in one line, and leaves neither a bank nor a file behind."""

import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from banks.models import Institution

pytestmark = pytest.mark.django_db


def _add_bank(slug: str = "acorn", **changes: Any) -> str:
    values = {
        "--name": "Acorn Bank",
        "--dialect": "uk_obie",
        "--dialect-version": "4.0",
        "--issuer": "https://acorn.example",
        "--authorization-url": "https://acorn.example/authorize",
        "--token-url": "https://api.acorn.example/token",
        "--resource-url": "https://api.acorn.example/aisp",
        "--client-id": "sluice",
        "--country": "GB",
        "--timezone": "Europe/London",
        **{f"--{name.replace('_', '-')}": str(value) for name, value in changes.items()},
    }
    out = StringIO()
    call_command("add_bank", slug, *(f"{name}={value}" for name, value in values.items()), stdout=out)
    return out.getvalue()


def test_a_new_key_is_written_for_everyone_to_read_and_the_bank_is_stored(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    told = _add_bank(new_key=file)

    (public,) = json.loads(file.read_text())["keys"]
    assert "d" not in public
    assert file.stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert str(file) in told
    assert Institution.objects.get().slug == "acorn"


def test_what_a_bank_can_take_is_told_by_options_and_has_sound_defaults(tmp_path: Path) -> None:
    told = {
        "authentication_days_max": 180,
        "queue": "bank.acorn",
        "concurrent_jobs_max": 2,
        "calls_per_minute_max": 60,
        "unattended_fetches_max": 2,
        "attested_fetches_max": 0,
        "refresh_minutes": 720,
    }
    _add_bank(new_key=tmp_path / "1.json")
    _add_bank("beech", new_key=tmp_path / "2.json", **told)

    acorn, beech = Institution.objects.order_by("slug").values(*told)
    assert beech == told
    assert acorn == {
        "authentication_days_max": None,
        "queue": "",
        "concurrent_jobs_max": 3,
        "calls_per_minute_max": 600,
        "unattended_fetches_max": 4,
        "attested_fetches_max": 24,
        "refresh_minutes": 360,
    }


def test_the_redirect_uri_tells_which_issuer_it_belongs_to(tmp_path: Path, settings: Any) -> None:
    settings.ISSUER = "https://sluice.example"

    told = _add_bank(new_key=tmp_path / "keys.json")

    assert "(SLUICE_ISSUER is https://sluice.example)" in told


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_where_the_key_cannot_be_written_no_bank_is_stored(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        _add_bank(new_key=tmp_path / "nowhere" / "k")

    assert not Institution.objects.exists()


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("the public half of a key in use")

    with pytest.raises(CommandError, match="File exists"):
        _add_bank(new_key=file)

    assert file.read_text() == "the public half of a key in use"
    assert not Institution.objects.exists()


@pytest.mark.parametrize(
    ("slug", "changes", "field"),
    [
        ("Bad Slug!", {}, "slug"),
        ("acorn", {"country": "UK"}, "country"),
        ("acorn", {"history_days_max": -5}, "history_days_max"),
        ("acorn", {"consent_days_max": 10**12}, "consent_days_max"),
        ("acorn", {"authentication_days_max": 0}, "authentication_days_max"),
        ("acorn", {"concurrent_jobs_max": 0}, "concurrent_jobs_max"),
        ("acorn", {"calls_per_minute_max": 60_001}, "calls_per_minute_max"),
        ("acorn", {"unattended_fetches_max": 0}, "unattended_fetches_max"),
        ("acorn", {"attested_fetches_max": -1}, "attested_fetches_max"),
        ("acorn", {"refresh_minutes": 4}, "refresh_minutes"),
        ("acorn", {"queue": "Slow Banks"}, "queue"),
        ("acorn", {"name": "A" * 121}, "name"),
        ("acorn", {"dialect": "carrier_pigeon"}, "unknown_connector"),
    ],
)
def test_a_bad_argument_is_one_line_and_leaves_nothing(
    tmp_path: Path, slug: str, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(CommandError) as refused:
        _add_bank(slug, new_key=tmp_path / "keys.json", **changes)

    assert str(refused.value).startswith(field)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 2, "as of any command that was typed wrong"
    assert list(tmp_path.iterdir()) == []
    assert not Institution.objects.exists()


def test_a_key_file_that_holds_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CommandError, match="is not a JWK"):
        _add_bank(signing_key=file)
