"""The ORM's own queries, compiled once for each shape, and run as text from then on (banks.prepared).

A shape is compiled with slots in the place of values; the ORM writes the text, and its converters read the rows, so
that there is one source of columns and filters.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections  # noqa: TID251 -- one that may
from django.db.models import JSONField, Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.sql import InsertQuery, UpdateQuery
from psycopg.types.json import Jsonb

from banks.prepared import Statement, adapted

M = TypeVar("M", bound=Model)

_Parameters = list[tuple[str | None, object]]  #: name of a slot, or None and the value itself
Converters = list[tuple[int, list[Any], Any]]  #: position in a row, what is applied to it one after another, expression

# -- slots ------------------------------------------------------------------------------------------------------------

_UUIDS = (
    *("account_id", "after_id", "consent_id", "institution_id", "platform_id", "user_id"),
    *("connection_id", "job_id", "probe_job_id", "row_id"),
)
_DAYS = ("after_on", "bank_first_on", "end_on", "history_from", "start_on")
_INSTANTS = (
    *("now", "since_at", "until_at"),
    *("bucket_at", "window_at", "breaker_until", "probe_until", "next_sync_at", "seen_at"),
)
_NUMBERS = ("bucket_thousandths", "calls", "epoch", "failures", "opened_count", "unanswered")
_WORDS = ("breaker", "code", "kind", "presence", "resource", "stage", "status")
_OBJECTS = ("counts",)

_FIRST = 0x51075 << 100
#: What stands for each value in a query that is compiled: of its type, equal to no other, and met nowhere else.
SLOTS: dict[str, Any] = {
    **{name: UUID(int=number) for number, name in enumerate(_UUIDS, _FIRST)},
    **{name: date(7, 7, number) for number, name in enumerate(_DAYS, 1)},
    **{name: datetime(7, 8, number, tzinfo=UTC) for number, name in enumerate(_INSTANTS, 1)},
    **{name: 0x51075 * 1000 + number for number, name in enumerate(_NUMBERS)},
    **{name: f"slot:{name}" for name in _WORDS},
    **{name: {"slot": name} for name in _OBJECTS},
}


def id_slots(count: int) -> dict[str, UUID]:
    """Slots for a list of ids: `id_0`, `id_1` and so on."""
    return {f"id_{number}": UUID(int=_FIRST + 100 + number) for number in range(count)}


# -- a compiled query -------------------------------------------------------------------------------------------------


class Compiled:
    """One shape of a query. `rows` are tuples in the order of its columns.

    One that locks rows is compiled within a transaction, as the ORM wants it.
    """

    def __init__(self, query: QuerySet[Any, Any], *, slots: Mapping[str, Any] = SLOTS, by_values: bool = False) -> None:
        """`query` is one of `.values_list()`, made with `slots`. `by_values`: as of Statement."""
        compiler = query.query.get_compiler(connection=connection)
        text, parameters = compiler.as_sql()
        self.text, self._parameters = _with_words(text, _named(parameters, slots))
        self._statement = Statement(self.text, is_read=True, by_values=by_values)
        found = compiler.get_converters([one[0] for one in compiler.select])
        self._converters: Converters = [
            (position, _quicker(found[position][0]), found[position][1]) for position in sorted(found)
        ]
        self._compiler = compiler

    def embedded(self) -> tuple[str, list[tuple[str | None, object]]]:
        """Text, and names or values of its parameters: to be part of another statement."""
        return self.text, self._parameters

    def rows(self, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """`values` for every slot that the query has."""
        return converted(self._statement.run(_filled(self._parameters, values)), self._converters)


class CompiledModels(Compiled, Generic[M]):
    """One shape of a query of whole models, with what `select_related` and `annotate` name."""

    def __init__(self, query: QuerySet[M, M], *, slots: Mapping[str, Any] = SLOTS) -> None:
        super().__init__(query, slots=slots)
        assert self._compiler.klass_info is not None
        self._shape: _Shape[M] = _Shape(self._compiler.klass_info, self._compiler.select)
        self._annotations = dict(self._compiler.annotation_col_map or {})

    def models(self, values: Mapping[str, object]) -> list[M]:
        return [self._made(row) for row in self.rows(values)]

    def get(self, values: Mapping[str, object]) -> M:
        """The first. Raises the model's DoesNotExist."""
        for row in self.rows(values):
            return self._made(row)
        raise self._shape.model.DoesNotExist  # type: ignore[attr-defined]

    def _made(self, row: tuple[Any, ...]) -> M:
        made = self._shape.made(row)
        for name, position in self._annotations.items():
            setattr(made, name, row[position])
        return made


class _Shape(Generic[M]):
    """Where a model and its related ones stand in a row, as the ORM's compiler says it of `select_related`."""

    def __init__(self, klass_info: Mapping[str, Any], select: Sequence[Any]) -> None:
        assert not klass_info.get("from_parent"), "no model here has a parent of its own table"
        fields = klass_info["select_fields"]
        self.model: type[M] = klass_info["model"]
        self._columns = slice(fields[0], fields[-1] + 1)
        self._names = [column.target.attname for column, *_ in select[self._columns]]
        key = self.model._meta.pk
        assert key is not None
        self._key = fields[0] + self._names.index(key.attname)
        self._related = [
            (_Shape[Any](info, select), info["local_setter"], info["remote_setter"])
            for info in klass_info.get("related_klass_infos", ())
        ]

    def made(self, row: tuple[Any, ...]) -> M:
        made = loaded(self.model, self._names, row[self._columns])
        for shape, set_here, set_there in self._related:
            if row[shape._key] is None:  # of an outer join
                set_here(made, None)
            else:
                related = shape.made(row)
                set_here(made, related)
                set_there(related, made)
        return made


def loaded(model: type[M], names: Sequence[str], values: Sequence[Any]) -> M:
    """A row as the model's `from_db` makes it, at a quarter of its cost; columns that are not named are deferred.

    Without the signals of its making, and past any `__init__` of the model's own: tests/banks/test_compiled.py holds
    that there is neither.
    """
    made = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    columns = made.__dict__
    columns["_state"] = state
    columns.update(zip(names, values, strict=True))
    return made


class CompiledUpdate:
    """One shape of an UPDATE of the rows of a query."""

    def __init__(
        self, query: QuerySet[Any, Any], columns: Mapping[str, object], *, slots: Mapping[str, Any] = SLOTS
    ) -> None:
        update: Any = query.query.chain(UpdateQuery)
        update.add_update_values(columns)
        text, parameters = update.get_compiler(connection=connection).as_sql()
        self._parameters = _named(parameters, slots)
        self._statement = Statement(text)

    def run(self, values: Mapping[str, object]) -> int:
        """How many rows were written."""
        return self._statement.change(_filled(self._parameters, values))


class CompiledReturning:
    """The same with what the written rows then hold. Within a transaction."""

    def __init__(
        self,
        query: QuerySet[Any, Any],
        columns: Mapping[str, object],
        returned: Sequence[str],
        *,
        slots: Mapping[str, Any] = SLOTS,
    ) -> None:
        """`returned`: names of columns (`connection_id`, not `connection`), in the order of a row."""
        update: Any = query.query.chain(UpdateQuery)
        update.add_update_values(columns)
        text, parameters = update.get_compiler(connection=connection).as_sql()
        table = query.model._meta.db_table
        fields = {field.attname: field for field in query.model._meta.concrete_fields}
        found: list[Any] = [fields[name].get_col(table) for name in returned]
        names = ", ".join(f"{_quoted(table)}.{_quoted(column.target.column)}" for column in found)
        self._parameters = _named(parameters, slots)
        self._statement = Statement(f"{text} RETURNING {names}")
        self._converters = converters_of(found)

    def rows(self, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        return converted(self._statement.run(_filled(self._parameters, values)), self._converters)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


class CompiledInsert:
    """One new row, of a model made with slots."""

    def __init__(self, row: Model, *, slots: Mapping[str, Any] = SLOTS) -> None:
        insert = InsertQuery(type(row))
        insert.insert_values(row._meta.concrete_fields, [row])
        ((text, parameters),) = insert.get_compiler(connection=connection).as_sql()
        self._parameters = _named(parameters, slots)
        self._statement = Statement(text)

    def run(self, values: Mapping[str, object]) -> None:
        self._statement.change(_filled(self._parameters, values))


def _named(parameters: Iterable[Any], slots: Mapping[str, Any]) -> _Parameters:
    names = {_key(adapted(slot)): name for name, slot in slots.items()}
    return [(names.get(_key(one)), one) for one in parameters]


def _key(parameter: Any) -> Any:
    return json.dumps(parameter.obj) if isinstance(parameter, Jsonb) else parameter


def _filled(parameters: _Parameters, values: Mapping[str, object]) -> list[object]:
    return [constant if name is None else values[name] for name, constant in parameters]


def converters_of(columns: Sequence[Col]) -> Converters:
    """For rows of text that is written by hand: what the ORM would do with these columns."""
    found: Converters = []
    for position, column in enumerate(columns):
        applied = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        if applied:
            found.append((position, _quicker(applied), column))
    return found


def _quicker(applied: list[Any]) -> list[Any]:
    """With a quicker reader of JSON in the place of Django's, which says the same of what a database has checked."""
    return [_json if getattr(one, "__func__", None) is JSONField.from_db_value else one for one in applied]


def _json(value: str | None, expression: object, connection: object) -> object:
    return None if value is None else orjson.loads(value)


_WORD = re.compile(r"[A-Za-z_]+\Z")


def _with_words(text: str, parameters: _Parameters) -> tuple[str, _Parameters]:
    """Words of ours (a status, a group) stand in the text: a plan for any word would reckon with the rarest."""
    pieces, kept = text.split("%s"), []
    written = [pieces[0]]
    for piece, (name, parameter) in zip(pieces[1:], parameters, strict=True):
        if name is None and isinstance(parameter, str) and _WORD.match(parameter):
            written.append(f"'{parameter}'")
        else:
            written.append("%s")
            kept.append((name, parameter))
        written.append(piece)
    return "".join(written), kept


def converted(rows: list[tuple[Any, ...]], converters: Converters) -> list[tuple[Any, ...]]:
    if not converters or not rows:
        return rows
    database = connections[DEFAULT_DB_ALIAS]  # the thread's own, looked up once
    made = []
    for row in rows:
        values = list(row)
        for position, applied, expression in converters:
            for convert in applied:
                values[position] = convert(values[position], expression, database)
        made.append(tuple(values))
    return made
