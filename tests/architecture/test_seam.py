"""There is one way to customer data. Every other way that Django offers is tried here, and must fail."""

import ast
import copy
import dataclasses
import io
import pickle
import types
import typing
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import models as django_models
from django.db.models import Count, Manager, Model, Prefetch, QuerySet
from django.forms import modelform_factory
from django.shortcuts import get_list_or_404, get_object_or_404

from banks import models, read
from banks.governed import GovernedManager, Ungoverned
from banks.models import Account, Balance, Connection, LinkSuggestion, QuarantinedRow, RawPayload, Transaction
from consents.ownership import owner_permit
from consents.policy import Permit, PermitSlice
from gateway.identity.models import User
from tests.architecture import source
from tests.support import ledger
from tests.support.ledger import NOW

GOVERNED = {Account, Balance, Transaction, RawPayload, LinkSuggestion, QuarantinedRow}
OURS = {"banks", "consents", "identity", "oauth"}


@pytest.fixture
def current(db: None) -> Account:
    link = ledger.connection(ledger.user("alice"), ledger.institution(), change_sequence=1)
    account = ledger.account(link)
    ledger.transaction(account, change_sequence=1)
    ledger.balance(account)
    return account


# -- the manager ------------------------------------------------------------------------------------------------------

BYPASSES: dict[str, Callable[[Account], object]] = {
    "all": lambda a: list(Account.objects.all()),
    "filter": lambda a: list(Transaction.objects.filter(account=a)),
    "exclude": lambda a: list(Transaction.objects.exclude(account=a)),
    "get": lambda a: Account.objects.get(id=a.id),
    "first": lambda a: Account.objects.first(),
    "count": lambda a: Account.objects.count(),
    "exists": lambda a: Account.objects.exists(),
    "values": lambda a: list(Account.objects.values("name")),
    "in_bulk": lambda a: Account.objects.in_bulk([a.id]),
    "iterator": lambda a: list(Account.objects.iterator()),
    "aggregate": lambda a: Account.objects.aggregate(Count("id")),
    "raw": lambda a: list(Account.objects.raw("SELECT * FROM banks_account")),
    "union": lambda a: Account.objects.for_sync().union(Account.objects.all()),
    "create": lambda a: Balance.objects.create(account=a, type="CLBD", amount_minor=1, currency="GBP", as_of=NOW),
    "get_or_create": lambda a: Account.objects.get_or_create(id=a.id),
    "update_or_create": lambda a: Account.objects.update_or_create(id=a.id),
    "bulk_create": lambda a: Account.objects.bulk_create([a]),
    "update": lambda a: Account.objects.update(name="x"),
    "delete": lambda a: Account.objects.all().delete(),
    "another database": lambda a: Account.objects.using("default").get(id=a.id),
    "db_manager": lambda a: Account.objects.db_manager("default").get(id=a.id),
    "default manager": lambda a: list(Account._default_manager.all()),
    "app registry": lambda a: list(apps.get_model("banks", "Account").objects.all()),
    "content type": lambda a: list(_model_by_content_type("account")._default_manager.all()),
    "prefetch of all": lambda a: Prefetch("account", queryset=Account.objects.all()),
    "shortcut for one": lambda a: get_object_or_404(Account, id=a.id),
    "shortcut for many": lambda a: get_list_or_404(Account),
    "serialize": lambda a: serializers.serialize("json", Account.objects.all()),
    "form": lambda a: modelform_factory(Balance, fields="__all__")().as_p(),
    "validation": lambda a: Account(connection=a.connection, user=a.user, institution=a.institution).full_clean(),
}


def _model_by_content_type(name: str) -> Any:
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get(app_label="banks", model=name).model_class()


@pytest.mark.parametrize("bypass", BYPASSES.values(), ids=BYPASSES)
def test_every_ungoverned_path_raises(current: Account, bypass: Callable[[Account], object]) -> None:
    with pytest.raises(Ungoverned, match=r"read with \.permitted\(permit\), write with \.for_sync\(\)"):
        bypass(current)


@pytest.mark.parametrize("model", sorted(GOVERNED, key=lambda model: model.__name__))
def test_every_customer_table_has_no_default_query(model: Any) -> None:
    for manager in model._meta.managers:
        assert isinstance(manager, GovernedManager)
        with pytest.raises(Ungoverned):
            manager.all()


def test_whatever_hangs_on_a_customer_row_is_governed_too() -> None:
    """A new table with a key to an account is customer data: it must come with the manager."""
    governed = {m for m in apps.get_models() if any(isinstance(one, GovernedManager) for one in m._meta.managers)}

    hanging = {
        model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model in governed
    }

    assert governed == GOVERNED
    assert hanging <= governed


#: Who may ask for the floor without a permit: its owner, and the texts that banks.read fills in from one.
WITHIN = {"banks.governed", "banks.read_sql"}


def _asks_within(tree: ast.Module) -> bool:
    names = (node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    words = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "within" in {*names, *(word for word in words if isinstance(word, str))}


def test_the_floor_under_a_permit_is_asked_for_without_one_by_the_hot_texts_only() -> None:
    assert {name for name, tree in source.modules().items() if _asks_within(tree)} == WITHIN


@pytest.mark.parametrize("line", ["Account.objects.within(user, ids)", "getattr(Account.objects, 'within')(user, ids)"])
def test_each_way_to_ask_for_it_would_be_seen(line: str) -> None:
    assert _asks_within(ast.parse(line))


def test_the_hot_texts_are_asked_for_by_the_seam_only() -> None:
    importers = {
        name
        for name, tree in source.modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module == "banks.read_sql" or (node.module == "banks" and "read_sql" in {n.name for n in node.names}))
    }

    assert importers == {"banks.read"}


def test_a_permit_at_the_manager_reaches_its_own_accounts_and_nobody_elses(current: Account) -> None:
    charlie = ledger.account(ledger.connection(ledger.user("charlie"), ledger.institution("birch")))
    RawPayload.objects.for_sync().create(account=current, transaction_id=UUID(int=7), sealed=b"sealed")
    QuarantinedRow.objects.for_sync().create(
        account=current, digest="d", reason="r", field="f", sealed=b"sealed", first_seen_at=NOW, last_seen_at=NOW
    )
    pairs = [(a.institution_id, a.id) for a in (current, charlie)]
    permit = owner_permit(current.user_id, pairs, expires_at=NOW + timedelta(minutes=1))

    assert [row.id for row in Account.objects.permitted(permit)] == [current.id]
    assert [row.account_id for row in Balance.objects.permitted(permit)] == [current.id]
    assert not RawPayload.objects.permitted(permit).exists()
    assert not QuarantinedRow.objects.permitted(permit).exists()


def test_a_permit_over_nothing_reaches_nothing(current: Account) -> None:
    permit = owner_permit(current.user_id, [], expires_at=NOW + timedelta(minutes=1))

    assert not any(
        model.objects.permitted(permit).exists()  # type: ignore[attr-defined]
        for model in (Account, Balance, Transaction)
    )


# -- no way back from a user, a bank or a connection ------------------------------------------------------------------


@pytest.mark.parametrize("model", [User, models.Institution, Connection, Account])
def test_nothing_points_back_to_customer_rows(model: type[Model]) -> None:
    back = [
        relation
        for relation in model._meta.get_fields()
        if relation.auto_created and relation.is_relation and relation.related_model._meta.app_label == "banks"
    ]

    assert back == []


@pytest.mark.parametrize("name", ["account", "accounts", "account_set", "connection", "connections", "connection_set"])
def test_a_user_has_no_accessor_to_customer_rows(current: Account, name: str) -> None:
    assert not hasattr(current.user, name)
    with pytest.raises(FieldError):
        User.objects.filter(**{f"{name}__id": current.id})


@pytest.mark.parametrize("name", ["account", "account_set", "transaction", "transaction_set", "balance"])
def test_a_connection_cannot_be_joined_or_prefetched_down_to_rows(current: Account, name: str) -> None:
    with pytest.raises(FieldError):
        Connection.objects.filter(**{f"{name}__name": "Everyday"})
    with pytest.raises((AttributeError, ValueError)):
        list(Connection.objects.prefetch_related(name))


# -- names of rows ----------------------------------------------------------------------------------------------------


def _full_of_secrets(model: type[Model]) -> Model:
    """An unsaved instance with a telling value in every column that can hold one."""
    instance = model()
    for field in model._meta.concrete_fields:
        if isinstance(field, django_models.CharField | django_models.TextField):
            setattr(instance, field.attname, "SECRET")
    return instance


@pytest.mark.parametrize(
    "model",
    [model for model in apps.get_models() if model._meta.app_label in OURS],
    ids=lambda model: model._meta.label,
)
def test_the_name_of_a_row_is_its_id_alone(model: type[Model]) -> None:
    instance: Any = _full_of_secrets(model)
    names = {str(getattr(instance, attribute, "")) for attribute in ("id", "pk", "transaction_id")}

    assert str(instance) in names
    assert "SECRET" not in repr(instance)


def test_the_admin_is_not_installed_or_shows_no_customer_table() -> None:
    if "django.contrib.admin" not in settings.INSTALLED_APPS:
        return
    from django.contrib import admin

    assert not set(admin.site._registry) & GOVERNED
    assert not set(admin.site._registry) & {User, Connection}


# -- what banks.read hands out ----------------------------------------------------------------------------------------


def test_no_public_name_of_the_seam_is_a_table_a_query_or_a_module() -> None:
    for name in read.__all__:
        value = getattr(read, name)
        assert not isinstance(value, types.ModuleType | QuerySet | Manager), name
        assert not (isinstance(value, type) and issubclass(value, Model | QuerySet | Manager)), name


def test_no_public_function_of_the_seam_returns_a_table_or_a_query() -> None:
    functions = [getattr(read, name) for name in read.__all__ if isinstance(getattr(read, name), types.FunctionType)]
    assert len(functions) >= 4

    for function in functions:
        hints = typing.get_type_hints(function)
        # The one that hands out no row: a number of the connection's, for saying whether there is anything to tell.
        if function is read.last_change:
            assert hints["return"] == int | None
        else:
            assert issubclass(hints["return"], read.Answer | read.Tally), function.__name__
        assert next(iter(hints)) == "permit", function.__name__


def _taken_from(trees: dict[str, ast.Module], package: str, name: str) -> set[tuple[str, str]]:
    """(module, name) for each name that `trees` take out of `package.name`, by import or by attribute."""
    taken: set[tuple[str, str]] = set()
    for module, tree in trees.items():
        aliases: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == f"{package}.{name}":
                taken |= {(module, alias.name) for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module == package:
                aliases |= {alias.asname or alias.name for alias in node.names if alias.name == name}
            if isinstance(node, ast.Import):
                taken |= {(module, "*") for alias in node.names if alias.name == f"{package}.{name}"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
                taken.add((module, node.attr))
    return taken


def test_whoever_uses_the_seam_uses_its_public_names_only() -> None:
    """`from banks.read import models` would pass every import contract."""
    taken = _taken_from(source.modules(), "banks", "read")

    assert len({module for module, _ in taken}) >= 2, "nobody reads any more, or this test looks in the wrong place"
    assert {(module, name) for module, name in taken if name not in read.__all__} == set()


@pytest.mark.parametrize(
    "line",
    [
        "from banks.read import models",
        "from banks.read import Consent",
        "from banks.read import _permitted_rows",
        "from banks import read\nread.models.Account",
        "from banks import read as r\nr._consent_holds",
        "import banks.read",
    ],
)
def test_that_test_would_see_a_name_taken_behind_the_seam(line: str) -> None:
    taken = _taken_from({"gateway.x": ast.parse(line)}, "banks", "read")

    assert {name for _, name in taken if name not in read.__all__}


def test_records_are_read_only_mappings_of_plain_values(current: Account) -> None:
    permit = owner_permit(
        current.user_id, [(current.institution_id, current.id)], expires_at=NOW + timedelta(minutes=1)
    )

    answers = [
        read.accounts(permit, now=NOW, request_id="r"),
        read.balances(permit, current.id, now=NOW, request_id="r"),
        read.transactions(permit, current.id, read.TransactionFilter(), now=NOW, request_id="r"),
        read.changes(permit, None, revision=1, limit=1, now=NOW, request_id="r"),
    ]

    for answer in answers:
        (row,) = answer.rows
        assert isinstance(row, types.MappingProxyType)
        assert not any(isinstance(value, Model | QuerySet | Manager) for value in row.values())
        with pytest.raises(TypeError):
            row["id"] = None  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            answer.rows = ()  # type: ignore[misc]


# -- permits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def permit() -> Permit:
    return owner_permit(UUID(int=1), [(UUID(int=2), UUID(int=3))], expires_at=NOW)


FIELDS: dict[str, Any] = {
    "user_id": UUID(int=1),
    "consent_id": None,
    "platform_id": None,
    "purpose": None,
    "presence": "PRESENT",
    "slices": (),
    "expires_at": NOW,
}

FORGERIES: dict[str, Callable[[Permit], object]] = {
    "constructed": lambda p: Permit(**FIELDS),  # type: ignore[call-arg]
    "constructed with a mint of one's own": lambda p: Permit(**FIELDS, mint=object()),
    "constructed without a mint": lambda p: Permit(**FIELDS, mint=None),
    "replaced": lambda p: dataclasses.replace(p, user_id=UUID(int=9)),
    "replaced with a mint of one's own": lambda p: dataclasses.replace(p, mint=object(), user_id=UUID(int=9)),
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
    "stored": pickle.dumps,
    "assigned to": lambda p: setattr(p, "user_id", UUID(int=9)),
    "extended": lambda p: setattr(p, "slices", (*p.slices, *p.slices)),
    "widened in a slice": lambda p: setattr(p.slices[0], "account_ids", frozenset({UUID(int=9)})),
    "given an attribute": lambda p: setattr(p, "everything", True),
    "turned into a dict and back": lambda p: Permit(**dataclasses.asdict(p)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_permit_cannot_be_forged_widened_or_kept(permit: Permit, forge: Callable[[Permit], object]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        forge(permit)


def test_a_slice_of_ones_own_making_gets_into_no_permit(permit: Permit) -> None:
    wide: PermitSlice = dataclasses.replace(permit.slices[0], account_ids=frozenset({UUID(int=9)}))

    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(permit, slices=(wide,))


def test_permits_are_minted_in_two_modules_only() -> None:
    """`_MINT` is a convention of Python; who takes it is visible."""
    users = {
        name
        for name, node in source.nodes()
        if (isinstance(node, ast.Name) and node.id == "_MINT")
        or (isinstance(node, ast.Attribute) and node.attr == "_MINT")
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "_MINT" for alias in node.names))
    }

    assert users == {"consents.policy", "consents.ownership"}


# -- dumpdata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all"],
        ["banks"],
        ["banks", "--all"],
        ["banks.Account"],
        ["banks.Transaction", "--all"],
        ["identity", "banks.balance"],
        ["--all", "--exclude", "banks.Account"],
        ["--exclude", "consents"],
        ["banks.Account", "--all", "--pks", "00000000-0000-0000-0000-000000000001"],
    ],
    ids=" ".join,
)
def test_dumpdata_refuses_customer_data_and_says_why(current: Account, arguments: list[str]) -> None:
    out = io.StringIO()

    with pytest.raises(CommandError, match="no consent covers the copy"):
        call_command("dumpdata", *arguments, stdout=out)

    assert out.getvalue() == ""


@pytest.mark.parametrize(
    "arguments", [["banks.Institution"], ["--all", "--exclude", "banks"], ["sessions"]], ids=" ".join
)
def test_dumpdata_still_dumps_the_rest(current: Account, arguments: list[str]) -> None:
    out = io.StringIO()

    call_command("dumpdata", *arguments, stdout=out)

    assert out.getvalue().startswith("[")
    assert "banks.account" not in out.getvalue()


# -- Django's own machinery -------------------------------------------------------------------------------------------


def test_saving_reloading_and_following_a_key_work(current: Account) -> None:
    current.name = "Holiday"
    current.save()
    current.refresh_from_db()
    row = Transaction.objects.for_sync().get()

    assert current.name == "Holiday"
    assert row.account == current
    assert Transaction.objects.for_sync().select_related("account").get().account.name == "Holiday"


def test_writing_many_and_locking_work(current: Account) -> None:
    made = Transaction.objects.for_sync().bulk_create([ledger.unsaved_transaction(current) for _ in range(3)])
    Transaction.objects.for_sync().filter(account=current).update(amount_minor=5)
    row, created = Balance.objects.for_sync().update_or_create(
        account=current, type="ITAV", currency="GBP", defaults={"amount_minor": 7, "as_of": NOW}
    )

    assert len(made) == 3
    assert set(Transaction.objects.for_sync().values_list("amount_minor", flat=True)) == {5}
    assert (created, row.amount_minor) == (False, 7)
    assert Account.objects.for_sync().select_for_update().get().id == current.id


def test_deleting_a_person_deletes_their_rows(current: Account) -> None:
    current.user.delete()

    for model in (Account, Balance, Transaction):
        assert model.objects.for_sync().count() == 0  # type: ignore[attr-defined]


def test_the_base_manager_is_the_known_hole_that_another_test_keeps_shut(current: Account) -> None:
    """Django saves and deletes through it, so it cannot refuse; tests/architecture/test_no_raw_cursors.py bans it."""
    assert Account._base_manager.count() == 1
