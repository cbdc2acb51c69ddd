"""What is in a copy against what is in the database, row by row; and nothing of anybody else."""

import gc
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from banks.models import Account, Balance, Transaction
from consents import clock
from consents.models import AuditEntry, Consent, ConsentAccount, UsageRow
from gateway.identity.models import User
from gateway.portal.download import archive, jobs, tables, work
from gateway.portal.tasks import make_export
from tests.gateway import download_world
from tests.gateway.download_world import READS, TRANSACTIONS, copy_of, much_on_record
from tests.support import cast

pytestmark = pytest.mark.django_db


def test_a_copy_holds_every_row_of_the_person_and_none_of_another(alice: User, bob: User) -> None:
    User.objects.filter(id=alice.id).update(email="alice@mail.example", first_name="Alice", last_name="=Formula")
    alice.refresh_from_db()
    consent = much_on_record(alice, "Alices")
    others = much_on_record(bob, "Bobs", reads=3, transactions=3)

    copy = copy_of(alice)

    # -- what the person shared, and who read it --
    (profile,) = copy.json("profile")
    assert (profile["username"], profile["email"]) == ("alice", "alice@mail.example")
    consents = copy.json("consents")
    assert {row["consent_id"] for row in consents} == set(map(str, _ids(Consent, user=alice)))
    (live,) = (row for row in consents if row["consent_id"] == str(consent.id))
    assert (live["platform"], live["status"]) == ("Alices-chat", "AUTHORISED")
    assert live["scopes"] == ["accounts", "balances", "transactions"]
    assert live["disclosure_sha256"] == cast.DISCLOSURE.sha256
    assert {row["account_id"] for row in copy.json("consent_accounts")} == set(
        map(str, ConsentAccount.objects.filter(consent__user=alice).values_list("account_id", flat=True))
    )
    history = copy.json("consent_history")
    assert len(history) == AuditEntry.objects.filter(consent_id__in=_ids(Consent, user=alice)).count()
    assert {"consent.requested", "consent.authorised", "consent.revoked"} <= {row["action"] for row in history}

    reads = copy.json("reads")
    assert len(reads) == len({row["read_at"] for row in reads}) == READS
    assert len(reads) == UsageRow.objects.filter(user_id=alice.id).count()
    assert {row["platform"] for row in reads} == {"Alices-chat"}
    assert [row["reason"] for row in copy.json("lookups")] == ["customer_asked"] * 2
    assert [row["code"] for row in copy.json("reports")] == ["TOO_OFTEN"]

    # -- what banks told --
    accounts = list(Account.objects.for_sync().filter(user=alice))
    assert {row["account_id"] for row in copy.json("accounts")} == {str(account.id) for account in accounts}
    assert [row["identifications"][0]["value"] for row in copy.json("accounts")] == ["Alices-iban"] * 2
    assert {row["bank"] for row in copy.json("accounts")} == {"Alices-North", "Alices-South"}
    assert {row["amount"] for row in copy.json("balances")} == {"-123.45"}
    assert len(copy.json("balances")) == Balance.objects.for_sync().filter(account__user=alice).count()
    rows = copy.json("transactions")
    stored = Transaction.objects.for_sync().filter(account__user=alice)
    assert len(rows) == len({row["transaction_id"] for row in rows}) == TRANSACTIONS + 1
    assert {row["transaction_id"] for row in rows} == {str(one) for one in stored.values_list("id", flat=True)}
    assert sum(Decimal(row["amount"]) for row in rows) * 100 == sum(stored.values_list("amount_minor", flat=True))

    # -- the same in each form --
    for name in tables.TITLES:
        if name != "packing":
            assert len(copy.csv(name)) == len(copy.json(name)), name
    described = [row["description"] for row in copy.csv("transactions")]
    assert described.count("'=cmd|Alices") == TRANSACTIONS
    assert not [text for text in described if text.startswith("=")]
    assert copy.csv("profile")[0]["last_name"] == "'=Formula"
    assert copy.csv("balances")[0]["amount"] == "-123.45"
    lengths = [len(copy.json(name)) for name in tables.TITLES if name != "packing"]
    assert copy.html.count("<tr>") == sum(length + 1 for length in lengths if length), "each row, and a head"
    assert "=cmd|Alices" in copy.html

    # -- and nothing of another --
    theirs = ("Bobs", "bob", str(bob.id), str(others.id), str(bob.pseudonym))
    staff = str(download_world.uuid.uuid5(download_world.uuid.NAMESPACE_DNS, "staff"))
    assert not [mark for mark in (*theirs, staff) if mark in copy.everything]


def _ids(model: Any, **filters: Any) -> list[Any]:
    return list(model.objects.filter(**filters).values_list("id", flat=True))


def test_the_page_stands_alone_and_its_text_is_text(alice: User) -> None:
    consent = much_on_record(alice, "A", reads=1, transactions=1)
    Transaction.objects.for_sync().update(merchant_name="<script>alert(1)</script>")
    consent.platform.name = "<img src=x>"
    consent.platform.save()

    html = copy_of(alice).html

    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "http" not in html.replace("http-equiv", "")
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")


def test_a_person_with_nothing_gets_a_copy_that_says_so(charlie: User) -> None:
    copy = copy_of(charlie)

    assert copy.json("consents") == copy.json("transactions") == []
    assert copy.csv("reads") == []
    assert copy.html.count("<p>None.</p>") == 11
    assert "your password" in copy.files["sluice-data/README.txt"].decode()


def test_what_no_window_reaches_and_what_a_bank_took_back_is_told_as_it_is_stored(alice: User) -> None:
    """The holder's door has no window: a row of ten years ago is theirs too; one that the bank took back is not."""
    much_on_record(alice, "A", reads=0, transactions=2)
    old, removed = Transaction.objects.for_sync().order_by("id")[:2]
    Transaction.objects.for_sync().filter(id=old.id).update(listed_on=date(2016, 1, 1))
    Transaction.objects.for_sync().filter(id=removed.id).update(status="REMOVED")

    rows = {row["transaction_id"]: row for row in copy_of(alice).json("transactions")}

    assert rows[str(old.id)]["listed_on"] == "2016-01-01"
    assert str(removed.id) not in rows


def test_reads_of_all_months_that_are_kept_are_in_it(alice: User) -> None:
    consent = much_on_record(alice, "A", reads=1, transactions=0)
    row = UsageRow.objects.get(user_id=alice.id)
    for days in (395, 300, 31):
        at = clock.now() - timedelta(days=days)
        row.id, row.read_at, row.month = download_world.uuid.uuid4(), at, at.date().replace(day=1)
        row.save(force_insert=True)

    reads = copy_of(alice).json("reads")

    assert len(reads) == 4
    assert [one["read_at"] for one in reads] == sorted(one["read_at"] for one in reads)
    assert {one["consent_id"] for one in reads} == {str(consent.id)}


def test_looking_at_ones_own_leaves_no_trace_among_the_reads(alice: User) -> None:
    much_on_record(alice, "A", reads=2, transactions=2)

    copy_of(alice)

    assert UsageRow.objects.filter(user_id=alice.id).count() == 2


def test_rows_do_not_pass_through_memory_all_at_once(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times the rows, the same memory: what is held is a page, not a table."""
    much_on_record(alice, "A", reads=0, transactions=0)
    account = Account.objects.for_sync().filter(user=alice).order_by("id")[0]
    monkeypatch.setattr(tables, "PAGE", 10)
    monkeypatch.setattr(work, "CHUNK_BYTES", 4 * 1024)
    monkeypatch.setattr(archive, "_COPY_CHARACTERS", 4 * 1024)

    def peak(rows: int) -> int:
        download_world.rows(account, "A", rows)
        job = jobs.request(alice, actor=cast.BY_USER, now=clock.now())
        gc.collect()
        tracemalloc.start()
        make_export(str(job.id))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1)  # whatever is loaded once
    small = peak(60)
    large = peak(420)

    assert large < small * 1.6
