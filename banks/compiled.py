"""The ORM's own queries, compiled once for each shape, and run as text from then on.

A shape is compiled with slots in the place of values; the ORM writes the text, and its converters read the rows, so
that there is one source of columns and filters. On PostgreSQL a text is prepared once for each connection, which saves
planning it again for every read.
"""

import itertools
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection, connections  # noqa: TID251 -- one of the modules that may
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, DateTimeField, JSONField, Model, QuerySet, UUIDField
from django.db.models.expressions import Col
from django.db.models.query import get_related_populators
from django.db.models.sql import InsertQuery, UpdateQuery
from psycopg.adapt import Loader
from psycopg.types.json import Jsonb

M = TypeVar("M", bound=Model)

Converters = list[tuple[int, list[Any], Any]]  #: position in a row, what is applied to it one after another, expression

# -- slots ------------------------------------------------------------------------------------------------------------

_UUIDS = (
    *("account_id", "after_id", "consent_id", "institution_id", "platform_id", "user_id"),
    *("connection_id", "job_id", "probe_job_id", "row_id"),
)
_DAYS = ("after_on", "end_on", "history_from", "start_on")
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
_FIELDS: dict[type, Any] = {UUID: UUIDField(), date: DateField(), datetime: DateTimeField(), dict: JSONField()}


def id_slots(count: int) -> dict[str, UUID]:
    """Slots for a list of ids: `id_0`, `id_1` and so on."""
    return {f"id_{number}": UUID(int=_FIRST + 100 + number) for number in range(count)}


def adapted(value: object) -> object:
    """As the database's driver takes it."""
    field = _FIELDS.get(type(value))
    return value if field is None else field.get_db_prep_value(value, connection)


# -- a compiled query -------------------------------------------------------------------------------------------------


class Compiled:
    """One shape of a query. `rows` are tuples in the order of its columns.

    One that locks rows is compiled within a transaction, as the ORM wants it.
    """

    def __init__(self, query: QuerySet[Any, Any], *, slots: Mapping[str, Any] = SLOTS) -> None:
        """`query` is one of `.values_list()`, made with `slots`."""
        compiler = query.query.get_compiler(connection=connection)
        text, parameters = compiler.as_sql()
        self._parameters = _named(parameters, slots)
        self.text = text
        self._statement = Statement(text)
        found = compiler.get_converters([one[0] for one in compiler.select])
        self._converters: Converters = [(position, *found[position]) for position in sorted(found)]
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
        klass_info, select = self._compiler.klass_info, self._compiler.select
        assert klass_info is not None
        fields = klass_info["select_fields"]
        self._model: type[M] = klass_info["model"]
        self._first, self._end = fields[0], fields[-1] + 1
        self._names = [select[position][0].target.attname for position in range(self._first, self._end)]
        # The stubs are of a later Django, which takes one more.
        self._populators = get_related_populators(klass_info, select, connection.alias)  # type: ignore[call-arg]
        self._annotations = dict(self._compiler.annotation_col_map or {})

    def models(self, values: Mapping[str, object]) -> list[M]:
        return [self._made(row) for row in self.rows(values)]

    def get(self, values: Mapping[str, object]) -> M:
        """The first. Raises the model's DoesNotExist."""
        for row in self.rows(values):
            return self._made(row)
        raise self._model.DoesNotExist  # type: ignore[attr-defined]

    def _made(self, row: tuple[Any, ...]) -> M:
        made = self._model.from_db(connection.alias, self._names, row[self._first : self._end])
        for populator in self._populators:
            populator.populate(row, made)
        for name, position in self._annotations.items():
            setattr(made, name, row[position])
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


_Parameters = list[tuple[str | None, object]]  #: name of a slot, or None and the value itself


def _named(parameters: Iterable[Any], slots: Mapping[str, Any]) -> _Parameters:
    names = {_key(adapted(slot)): name for name, slot in slots.items()}
    return [(names.get(_key(one)), one) for one in parameters]


def _key(parameter: Any) -> Any:
    return json.dumps(parameter.obj) if isinstance(parameter, Jsonb) else parameter


def _filled(parameters: _Parameters, values: Mapping[str, object]) -> list[object]:
    return [constant if name is None else adapted(values[name]) for name, constant in parameters]


def converters_of(columns: Sequence[Col]) -> Converters:
    """For rows of text that is written by hand: what the ORM would do with these columns."""
    found: Converters = []
    for position, column in enumerate(columns):
        applied = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        if applied:
            found.append((position, applied, column))
    return found


def converted(rows: list[tuple[Any, ...]], converters: Converters) -> list[tuple[Any, ...]]:
    if not converters:
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


class InstantLoader(Loader):
    """Django's own takes longer over one instant than over the rest of a row. Connections speak UTC here."""

    def load(self, data: Any) -> datetime:
        return datetime.fromisoformat(str(data, "ascii"))


# -- running text -----------------------------------------------------------------------------------------------------

#: Of one connection. A statement that is crowded out is prepared again when it comes back.
_PREPARED_MAX = 200
#: By the driver's own connection: a new one knows nothing of what was prepared on the last.
_prepared: WeakKeyDictionary[Any, OrderedDict[str, None]] = WeakKeyDictionary()
_numbers = itertools.count(1)


class Statement:
    """Text with a `%s` for each parameter, as Django's cursors take it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._name = f"sluice_{next(_numbers)}"
        pieces = text.split("%s")
        numbered = "".join(f"{piece}${number}" for number, piece in enumerate(pieces[:-1], 1)) + pieces[-1]
        self._numbered = numbered.replace("%%", "%")
        self._arguments = f"({', '.join(['%s'] * (len(pieces) - 1))})" if len(pieces) > 1 else ""

    def run(self, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Every row. In the caller's transaction, or one of its own."""
        database = connections[DEFAULT_DB_ALIAS]
        with database.cursor() as cursor:
            if database.vendor == "postgresql":
                cursor.adapters.register_loader("timestamptz", InstantLoader)
            self._execute(database, cursor, parameters)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def change(self, parameters: Sequence[Any]) -> int:
        """How many rows it wrote."""
        database = connections[DEFAULT_DB_ALIAS]
        with database.cursor() as cursor:
            self._execute(database, cursor, parameters)
            return int(cursor.rowcount)

    def _execute(self, database: BaseDatabaseWrapper, cursor: Any, parameters: Sequence[Any]) -> None:
        if _prepares(database):
            self._prepare(database, cursor)
            cursor.execute(f"EXECUTE {self._name}{self._arguments}", parameters)
        else:
            cursor.execute(self.text, parameters)

    def _prepare(self, database: BaseDatabaseWrapper, cursor: Any) -> None:
        """On this connection, where it is not known there yet."""
        known = _prepared.setdefault(database.connection, OrderedDict())
        if self._name in known:
            known.move_to_end(self._name)
            return
        if len(known) >= _PREPARED_MAX:
            cursor.execute(f"DEALLOCATE {known.popitem(last=False)[0]}")
        cursor.execute(f"PREPARE {self._name} AS {self._numbered}")
        known[self._name] = None


def _prepares(database: BaseDatabaseWrapper) -> bool:
    """On PostgreSQL, but for poolers that give each transaction another connection (Django's own setting for them), and
    for whoever logs queries: those want to see them."""
    return (
        database.vendor == "postgresql"
        and not database.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        and not database.queries_logged
    )
