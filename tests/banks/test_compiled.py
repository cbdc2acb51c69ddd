"""Models, updates and new rows by text that the ORM compiled: the same as the ORM's own."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Exists, F, Model, OuterRef, signals

from banks.compiled import (
    SLOTS,
    Compiled,
    CompiledInsert,
    CompiledModels,
    CompiledReturning,
    CompiledUpdate,
    loaded,
)
from banks.models import Account, Connection, FetchRecord, Institution, SyncJob, SyncJobStatus
from consents.models import AccessToken, BankPolicy, Consent, Grant, Platform, RefreshToken
from tests.support import cast
from tests.support.cast import NOW
from tests.support.jobs import claimed, due, linked, reread

pytestmark = pytest.mark.django_db


def _columns(row: Connection | SyncJob | FetchRecord) -> dict[str, object]:
    return {
        field.attname: bytes(value) if isinstance(value := getattr(row, field.attname), memoryview) else value
        for field in row._meta.concrete_fields
    }


def test_a_model_comes_with_every_column_and_what_it_is_joined_with() -> None:
    link, other = linked(), linked()
    cast.account(link)
    query = CompiledModels(
        Connection.objects.select_related("institution")
        .filter(id=SLOTS["connection_id"])
        .annotate(has_account=Exists(Account.objects.for_sync().filter(connection_id=OuterRef("id"))))
    )

    (found,) = query.models({"connection_id": link.id})
    without = query.get({"connection_id": other.id})

    stored = Connection.objects.select_related("institution").get(id=link.id)
    assert _columns(found) == _columns(stored)
    assert (found.institution, found.institution.slug) == (stored.institution, stored.institution.slug)
    assert (bool(vars(found)["has_account"]), bool(vars(without)["has_account"])) == (True, False)
    assert not found._state.adding


def test_what_is_joined_further_on_is_there_and_what_is_not_there_is_none() -> None:
    mine = Connection.objects.filter(id=SLOTS["connection_id"])
    link = linked()
    query = CompiledModels(mine.select_related("institution", "user").only("status", "institution__slug", "user__id"))
    of_bank = BankPolicy.objects.filter(institution_id=SLOTS["institution_id"])
    policies = CompiledModels(of_bank.select_related("platform").order_by("id"))
    cast.permissive_policy(link.institution, cast.chat().platform)
    cast.permissive_policy(link.institution)

    found = query.get({"connection_id": link.id})
    joined = policies.models({"institution_id": link.institution_id})

    assert (found.institution.slug, found.user.pk) == (link.institution.slug, link.user_id)
    assert found.institution.get_deferred_fields() > {"name"} and "slug" not in found.institution.get_deferred_fields()
    stored = BankPolicy.objects.order_by("id")
    assert [one.platform for one in joined] == [one.platform for one in stored]
    assert {one.platform is None for one in joined} == {True, False}
    assert all("platform" in one._state.fields_cache for one in joined)  # None is known as well, not asked for


def test_where_there_is_no_row_it_is_said_as_the_orm_says_it() -> None:
    query = CompiledModels(Connection.objects.filter(id=SLOTS["connection_id"]))

    assert query.models({"connection_id": SLOTS["account_id"]}) == []
    with pytest.raises(Connection.DoesNotExist):
        query.get({"connection_id": SLOTS["account_id"]})


def test_an_update_writes_the_rows_of_its_query_and_says_how_many() -> None:
    mine, other = due(), due()
    update = CompiledUpdate(
        SyncJob.objects.filter(id=SLOTS["job_id"], status=SyncJobStatus.QUEUED),
        {
            "status": SLOTS["status"],
            "counts": SLOTS["counts"],
            "epoch": F("epoch") + 1,
            "finished_at": SLOTS["now"],
            "lease_until": SLOTS["until_at"],
        },
    )
    values = {"job_id": mine.id, "counts": {"added": 3}, "now": NOW, "until_at": None, "status": SyncJobStatus.FAILED}

    assert (update.run(values), update.run(values)) == (1, 0)

    row = reread(mine)
    told = (row.status, row.counts, row.epoch, row.finished_at, row.lease_until)
    assert told == ("FAILED", {"added": 3}, mine.epoch + 1, NOW, None)
    assert _columns(reread(other)) == _columns(other)


@pytest.mark.parametrize("of_account", [True, False])
def test_a_new_row_says_what_was_given(of_account: bool) -> None:
    link = linked()
    held = claimed(due(link))
    slots = {name: SLOTS[name] for name in ("connection_id", "account_id", "job_id", "epoch", "resource", "presence")}
    insert = CompiledInsert(FetchRecord(id=SLOTS["row_id"], fetched_at=SLOTS["now"], **slots))
    row = FetchRecord(
        connection_id=link.id,
        account_id=link.user_id if of_account else None,
        resource="balances",
        presence="absent",
        job_id=held.job_id,
        epoch=held.epoch,
        fetched_at=NOW - timedelta(microseconds=1),
    )

    insert.run({**{name: getattr(row, name) for name in slots}, "row_id": row.id, "now": row.fetched_at})

    assert _columns(FetchRecord.objects.get()) == _columns(row)


#: Models that are read past the ORM's own way of making them.
_LOADED = (
    *(AccessToken, Account, BankPolicy, Connection, Consent, Grant, Institution, Platform, RefreshToken, SyncJob),
    get_user_model(),
)


@pytest.mark.parametrize("model", _LOADED, ids=lambda model: model.__name__)
def test_a_model_is_made_as_the_orm_makes_it(model: type[Model]) -> None:
    names = [field.attname for field in model._meta.concrete_fields][:3]
    values = [object() for _ in names]

    ours, theirs = loaded(model, names, values), model.from_db(DEFAULT_DB_ALIAS, names, values)

    assert {name: ours.__dict__[name] for name in names} == {name: theirs.__dict__[name] for name in names}
    assert ours.__dict__.keys() == theirs.__dict__.keys()
    assert ours.get_deferred_fields() == theirs.get_deferred_fields() != set()
    assert (ours._state.adding, ours._state.db) == (theirs._state.adding, theirs._state.db) == (False, "default")
    # What `loaded` leaves out is nobody's.
    assert model.from_db.__func__ is Model.from_db.__func__  # type: ignore[attr-defined]
    assert not signals.pre_init.has_listeners(model) and not signals.post_init.has_listeners(model)


def test_a_row_has_a_value_for_each_name() -> None:
    with pytest.raises(ValueError, match="shorter"):
        loaded(Platform, ["id", "status"], ["one"])


def test_the_first_reading_on_a_connection_tells_what_all_later_ones_tell() -> None:
    """Tags are made of the text of values, so they must not even differ in their `repr`."""
    one = cast.account(linked())
    Account.objects.for_sync().filter(id=one.id).update(next_refresh_after=NOW + timedelta(microseconds=1))
    query = Compiled(
        Account.objects.for_sync()
        .filter(id=SLOTS["account_id"])
        .values_list("id", "fetched_at", "next_refresh_after", "coverage_first_on", "coverage_gaps", "is_covered")
    )

    first, second, third = (query.rows({"account_id": one.id}) for _ in range(3))

    assert repr(first) == repr(second) == repr(third)
    assert "timezone.utc" in repr(first)


def test_an_update_tells_what_the_written_rows_hold_then() -> None:
    mine, other = due(), due()
    update = CompiledReturning(
        SyncJob.objects.filter(id=SLOTS["job_id"], status=SyncJobStatus.QUEUED),
        {"epoch": F("epoch") + 1, "customer_ip_address": "192.0.2.7", "status": SyncJobStatus.LEASED},
        ("connection_id", "epoch", "customer_ip_address", "checks_only", "created_at", "counts"),
    )

    with transaction.atomic():
        (row,) = update.rows({"job_id": mine.id})
        again = update.rows({"job_id": mine.id})

    assert row == (mine.connection_id, mine.epoch + 1, "192.0.2.7", False, mine.created_at, {})
    assert again == []
    assert (reread(mine).epoch, reread(other).epoch) == (mine.epoch + 1, other.epoch)


WORDS = ["plain", "O'Brien; DROP TABLE x", "back\\slash", "ümlaut", "", "%s $1"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("word", WORDS)
def test_what_comes_first_in_a_transaction_is_part_of_it(word: str) -> None:
    job = due()
    staging = CompiledUpdate(SyncJob.objects.filter(id=SLOTS["job_id"]), {"stage": SLOTS["stage"]})
    looking = CompiledModels(SyncJob.objects.filter(id=SLOTS["job_id"], stage=SLOTS["stage"]))
    kept = {"job_id": job.id, "stage": word[:20]}
    for _ in range(2):  # prepared the first time, past the driver's cursor from then on
        with transaction.atomic():
            assert staging.run(kept) == 1

    for _ in range(2):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            assert [found.id for found in looking.models(kept)] == [job.id]
            assert staging.run({**kept, "stage": "undone"}) == 1
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            assert staging.run({**kept, "stage": "undone"}) == 1
            raise ZeroDivisionError

    assert reread(job).stage == word[:20]


def test_nothing_is_written_in_a_transaction_that_is_to_be_undone() -> None:
    job = due()
    staging = CompiledUpdate(SyncJob.objects.filter(id=SLOTS["job_id"]), {"stage": SLOTS["stage"]})
    values = {"job_id": job.id, "stage": "BALANCES"}
    staging.run(values)

    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            staging.run({**values, "stage": "undone"})
        transaction.set_rollback(False)

    assert reread(job).stage == "BALANCES"
