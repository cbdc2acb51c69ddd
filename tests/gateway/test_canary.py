"""T14: what a bank told, what a person is called, and what opens anything, looked for in every sink of a process.

The logs and the copy of the database: tests/banks/test_secrets_at_rest.py. The pages of staff: test_canary.py and
test_isolation.py there. /metrics: test_metrics.py. Real processes with their log files, Redis and mail:
tests/run/test_compose.py.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import models
from django.test import Client

from banks.models import Account, Connection, SyncJob
from banks.tasks import tick
from consents import clock, event_log
from consents.models import AuditEntry, Consent, Delivery, Event, EventLog, ReadCount, RefusedCount, Revocation
from gateway.identity.models import User
from gateway.notify import notices
from gateway.notify.models import Notice
from tests.support import everything
from tests.support.everything import CANARY, DIGITS, SPOILT

pytestmark = pytest.mark.django_db


@pytest.fixture
def consent(db: None) -> Consent:
    found = everything.shared(everything.person())
    everything.happened(found, Connection.objects.get())
    return found


def test_t14_the_canaries_are_where_they_must_be(consent: Consent) -> None:
    """Or every sink would be clean for the wrong reason."""
    held = [repr(list(model.values())) for model in (User.objects, Account.objects.for_sync(), SyncJob.objects)]

    assert all(any(word in values for word in SPOILT) for values in held)


#: Records of what happened: ids, codes, counts and instants.
RECORDS: list[type[models.Model]] = [
    AuditEntry, Event, EventLog, Delivery, Revocation, Notice, ReadCount, RefusedCount,
]  # fmt: skip


def test_t14_no_record_of_what_happened_names_anybody_or_anything_of_theirs(consent: Consent) -> None:
    now = clock.now()
    event_log.spread(now=now)
    notices.collect(now=now)

    for model in RECORDS:
        rows = list(model._default_manager.values())
        assert rows or model in (ReadCount, RefusedCount), f"{model.__name__}: nothing was written"
        told = repr(rows)
        assert [word for word in SPOILT if word in told] == [], model.__name__


def test_t14_a_message_on_the_spool_holds_a_row_id_and_no_more(consent: Consent) -> None:
    spool = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
    for file in spool.glob("*.msg"):
        file.unlink()
    job = SyncJob.objects.get()

    tick()

    messages = [json.loads(file.read_text()) for file in spool.glob("*.msg")]
    told = [base64.b64decode(message["body"]).decode() + json.dumps(message["headers"]) for message in messages]
    assert any(str(job.id) in text for text in told), "no message was sent"
    assert [word for text in told for word in SPOILT if word in text] == []


@pytest.mark.parametrize(
    "address",
    [f"/{CANARY}", f"/consents/{CANARY}/", f"/oauth/authorize?client_id={CANARY}"],
)
def test_t14_no_error_page_repeats_what_was_sent(consent: Consent, address: str) -> None:
    page = Client(raise_request_exception=False).get(address, headers={"Cookie": f"other={DIGITS}"})

    assert page.status_code in (400, 404), page.status_code
    assert [word for word in SPOILT if word in page.content.decode()] == []


def test_t14_a_page_that_fails_tells_its_reader_nothing(consent: Consent, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(f"{CANARY} {DIGITS}")

    monkeypatch.setattr("gateway.problems.PROBLEMS", {CANARY: None})
    monkeypatch.setattr("django.shortcuts.render", fail)

    page = Client(raise_request_exception=False).get("/problems/")

    assert page.status_code == 500
    assert [word for word in SPOILT if word in page.content.decode()] == []
