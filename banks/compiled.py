"""The ORM's own queries, compiled once for each shape, and run as text from then on.

A shape is compiled with slots in the place of values; the ORM writes the text, and its converters read the rows, so
that there is one source of columns and filters. On PostgreSQL a text is prepared once for each connection, which saves
planning it again for every read.
"""

import itertools
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections  # noqa: TID251 -- one that may
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, DateTimeField, JSONField, Model, QuerySet, UUIDField
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.sql import InsertQuery, UpdateQuery
from psycopg import abc, errors, pq
from psycopg import adapters as defaults
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.types.json import Jsonb
from psycopg.types.string import TextLoader

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
    """Text with a `%s` for each parameter, as Django's cursors take it.

    `is_read`: it changes nothing, so that it may be asked again when its connection turns out to be gone. `by_values`:
    PostgreSQL plans it for the values of each run, where one plan for all of them would be wrong for some.
    """

    def __init__(self, text: str, *, is_read: bool = False, by_values: bool = False) -> None:
        self.text = text
        self._is_read = is_read
        self._by_values = by_values
        self._name = f"sluice_{next(_numbers)}"
        pieces = text.split("%s")
        numbered = "".join(f"{piece}${number}" for number, piece in enumerate(pieces[:-1], 1)) + pieces[-1]
        self._numbered = numbered.replace("%%", "%")
        self._arguments = f"({', '.join(['%s'] * (len(pieces) - 1))})" if len(pieces) > 1 else ""

    def run(self, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Every row. In the caller's transaction, or one of its own."""
        database = connections[DEFAULT_DB_ALIAS]  # once: `connection` looks it up for each of its attributes
        if self._is_ready(database) and (values := _as_text(parameters)) is not None:
            try:
                return self._at_once(database, values)
            except OperationalError:
                # What a look at the connection before each request would find, found by the first that uses it.
                if not self._is_read or database.in_atomic_block or database.is_usable():
                    raise
                database.close()
        return self._by_cursor(database, parameters)

    def change(self, parameters: Sequence[Any]) -> int:
        """How many rows it wrote."""
        database = connections[DEFAULT_DB_ALIAS]
        # Of a write nobody would know whether a connection that is gone took it: one that was seen to work, then.
        if database.health_check_done and self._is_ready(database):  # type: ignore[attr-defined]
            values = _as_text(parameters)
            if values is not None:
                with database.wrap_database_errors:
                    return int(self._answer(database, values).command_tuples or 0)
        with database.cursor() as cursor:
            self._execute(database, cursor, [adapted(one) for one in parameters])
            return int(cursor.rowcount)

    # -- by the driver's own cursor ------------------------------------------------------------------------------------

    def _by_cursor(self, database: BaseDatabaseWrapper, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        adjusted: list[Any] = [adapted(one) for one in parameters]
        with database.cursor() as cursor:
            if database.vendor == "postgresql":
                cursor.adapters.register_loader("timestamptz", InstantLoader)
            self._execute(database, cursor, adjusted)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _execute(self, database: BaseDatabaseWrapper, cursor: Any, adjusted: Sequence[Any]) -> None:
        if _prepares(database) and not self._by_values:
            self._prepare(database, cursor)
            cursor.execute(f"EXECUTE {self._name}{self._arguments}", adjusted)
        else:
            cursor.execute(self.text, adjusted)

    def _prepare(self, database: BaseDatabaseWrapper, cursor: Any) -> None:
        """On this connection, where it is not known there yet."""
        known = _prepared.setdefault(database.connection, OrderedDict())
        if self._name in known:
            known.move_to_end(self._name)
            return
        if len(known) >= _PREPARED_MAX:
            oldest = next(iter(known))
            cursor.execute(f"DEALLOCATE {oldest}")
            del known[oldest]
        cursor.execute(f"PREPARE {self._name} AS {self._numbered}")
        known[self._name] = None

    # -- past the cursor, which costs more than the statement ----------------------------------------------------------

    def _is_ready(self, database: BaseDatabaseWrapper) -> bool:
        """On a connection that is open, nobody watching; and in the transaction that is wanted, or none."""
        if database.connection is None or not _prepares(database) or database.execute_wrappers:
            return False
        if database.needs_rollback:  # Django's cursor says so
            return False
        status = database.connection.pgconn.transaction_status
        if status not in ((_IDLE,) if database.autocommit else (_IDLE, _IN_TRANSACTION)):
            return False
        if self._by_values:
            return True
        known = _prepared.get(database.connection)
        if known is None or self._name not in known:
            return False
        known.move_to_end(self._name)
        return True

    def _at_once(self, database: BaseDatabaseWrapper, values: list[bytes | None]) -> list[tuple[Any, ...]]:
        with database.wrap_database_errors:
            result = self._answer(database, values)
            reader = _reader()
            reader.set_pgresult(result)
            try:
                return reader.load_rows(0, result.ntuples, tuple)
            finally:
                reader.set_pgresult(None)

    def _answer(self, database: BaseDatabaseWrapper, values: list[bytes | None]) -> pq.abc.PGresult:
        driver = database.connection.pgconn
        result: pq.abc.PGresult
        if not database.autocommit and driver.transaction_status == _IDLE:
            # The first of a transaction: the driver would begin one, and finds it begun.
            result = self._begun(database, driver, values)
        else:
            result = self._sent(driver, values)
        _succeeded(driver, result)
        database.health_check_done = True  # type: ignore[attr-defined]  # unknown to its stubs
        return result

    def _begun(self, database: BaseDatabaseWrapper, driver: Any, values: list[bytes | None]) -> pq.abc.PGresult:
        """With the beginning of its transaction: both at once, where every value can stand in a text."""
        begin = bytes(database.connection._get_tx_start_command())  # with the isolation that it is set to
        result: pq.abc.PGresult
        if self._by_values or any(value is not None and _NEEDS_CARE.search(value) for value in values):
            _succeeded(driver, driver.exec_(begin))
            return self._sent(driver, values)
        arguments = b", ".join(b"NULL" if value is None else b"'%b'" % value for value in values)
        text = b"%b; EXECUTE %b" % (begin, self._name.encode())
        result = driver.exec_(text + b"(%b)" % arguments if values else text)
        return result

    def _sent(self, driver: Any, values: list[bytes | None]) -> pq.abc.PGresult:
        result: pq.abc.PGresult
        if self._by_values:
            result = driver.exec_params(self._numbered.encode(), values)
        else:
            result = driver.exec_prepared(self._name.encode(), values)
        return result


_IDLE, _IN_TRANSACTION = pq.TransactionStatus.IDLE, pq.TransactionStatus.INTRANS
_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


def _succeeded(driver: pq.abc.PGconn, result: pq.abc.PGresult) -> None:
    if result.status not in _FINE:
        if driver.status != pq.ConnStatus.OK:
            raise errors.OperationalError("the connection is gone")
        raise errors.error_from_result(result)


#: Not ids, numbers, instants and codes.
_NEEDS_CARE = re.compile(rb"[^A-Za-z0-9 _:.+-]")


class _Reading:
    """How values are read: as Django's cursors do, but for instants, which the driver reads as `timezone.utc` too.

    No connection: all of them speak UTF-8 and UTC here, so that one reader does for all of a thread's.
    """

    adapters = AdaptersMap(defaults)
    connection = None


for _kind in ("jsonb", "inet", "cidr"):
    _Reading.adapters.register_loader(_kind, TextLoader)

_readers = threading.local()


def _reader() -> abc.Transformer:
    """It has looked up how each type is read, which takes longer than reading a row."""
    found: abc.Transformer | None = getattr(_readers, "one", None)
    if found is None:
        found = _readers.one = Transformer(_Reading())
    return found


_TEXT: dict[type, Callable[[Any], bytes | None]] = {
    str: str.encode,
    UUID: lambda value: b"%032x" % value.int,  # as PostgreSQL reads one too; with hyphens it takes five times as long
    datetime: lambda value: value.isoformat().encode(),
    date: lambda value: value.isoformat().encode(),
    int: lambda value: b"%d" % value,
    bool: lambda value: b"t" if value else b"f",
    type(None): lambda none: none,
    dict: lambda value: json.dumps(value).encode(),
    Jsonb: lambda value: json.dumps(value.obj).encode(),
}


def _of_base(value: object) -> Callable[[Any], bytes | None]:
    """The word of an enumeration is text all the same, and a number that Django typed is a number. Raises KeyError."""
    return _TEXT[str if isinstance(value, str) else int if isinstance(value, int) else type(value)]


def _as_text(parameters: Sequence[Any]) -> list[bytes | None] | None:
    """In PostgreSQL's text format; None: something is for the driver to adapt, or to refuse."""
    try:
        values = [(_TEXT.get(type(one)) or _of_base(one))(one) for one in parameters]
    except (KeyError, TypeError, UnicodeEncodeError):
        return None
    return None if b"\0" in b"".join(filter(None, values)) else values


def _prepares(database: BaseDatabaseWrapper) -> bool:
    """On PostgreSQL, but for poolers that give each transaction another connection (Django's own setting for them), and
    for whoever logs queries: those want to see them."""
    return (
        database.vendor == "postgresql"
        and not database.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        and not database.queries_logged
    )
