"""Tables that grow with use are made to be split: every key and index leads with what they will be split by."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CompositePrimaryKey, F, Model
from django.db.models.expressions import OrderBy

from banks.models import Balance, RawPayload, Transaction
from consents.models import UsageRow

#: Table -> the columns that lead.
LEADS: dict[type[Model], tuple[str, ...]] = {
    Transaction: ("account_id",),
    RawPayload: ("account_id",),
    UsageRow: ("month", "user_id"),
}
SPLIT = (Transaction, RawPayload, UsageRow)


def _column(model: type[Model], expression: Any) -> str:
    inner = expression.expression if isinstance(expression, OrderBy) else expression
    name = inner.name if isinstance(inner, F) else str(inner).lstrip("-")
    return str(model._meta.get_field(name).attname)


def _has_an_index(field: Any) -> bool:
    return not isinstance(field, CompositePrimaryKey) and (field.unique or field.db_index)


def _declared(model: type[Model]) -> dict[str, list[str]]:
    """Name -> columns, of every index and unique constraint the model asks for, by any of Django's ways."""
    meta: Any = model._meta
    asked = {index.name: list(index.expressions) or index.fields for index in meta.indexes}
    asked |= {one.name: list(one.expressions) or one.fields for one in meta.constraints if hasattr(one, "fields")}
    asked |= {f"unique_together {names}": list(names) for names in meta.unique_together}
    asked |= {field.name: [field.name] for field in meta.local_fields if _has_an_index(field)}
    asked["primary key"] = list(getattr(meta.pk, "field_names", [meta.pk.name]))
    return {name: [_column(model, one) for one in fields] for name, fields in asked.items()}


def _keys_in_the_database(model: type[Model]) -> dict[str, list[str]]:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
        keys = {name: one["columns"] for name, one in found.items() if one["unique"] or one["index"]}
        if connection.vendor == "sqlite":
            # Django tells a primary key's columns there in the order of the table, not of the key.
            cursor.execute("SELECT name FROM pragma_table_info(%s) WHERE pk > 0 ORDER BY pk", [table])
            keys["__primary__"] = [name for (name,) in cursor.fetchall()]
    return keys


@pytest.mark.parametrize("model", SPLIT)
def test_every_declared_index_and_unique_constraint_leads_with_the_key_of_the_split(model: type[Model]) -> None:
    lead = LEADS[model]

    declared = _declared(model)

    assert len(declared) >= 1
    for name, columns in declared.items():
        assert tuple(columns[: len(lead)]) == lead, name


@pytest.mark.django_db
@pytest.mark.parametrize("model", SPLIT)
def test_every_index_that_the_database_really_has_leads_with_it_too(model: type[Model]) -> None:
    lead = LEADS[model]

    keys = _keys_in_the_database(model)

    assert len(keys) >= len(_declared(model))
    for name, columns in keys.items():
        assert tuple(columns[: len(lead)]) == lead, name


@pytest.mark.parametrize("model", SPLIT)
def test_no_foreign_key_points_at_a_table_that_will_be_split(model: type[Model]) -> None:
    pointing = [
        f"{other._meta.label}.{field.name}"
        for other in apps.get_models()
        for field in other._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model is model
    ]

    assert pointing == []


def test_usage_rows_point_nowhere_either() -> None:
    """A month of them is dropped whole, whatever became of the people and consents they name."""
    assert not [field.name for field in UsageRow._meta.get_fields() if field.is_relation]


def test_a_balance_is_found_by_its_account() -> None:
    assert any(columns[0] == "account_id" for columns in _declared(Balance).values())
