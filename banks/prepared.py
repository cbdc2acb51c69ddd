"""Text of SQL, run by the quickest way that a connection has.

On PostgreSQL a text is prepared once for each connection, which saves planning it again for every read; from then on it
goes past the driver's cursor, which costs more than the statement.
"""

import itertools
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections  # noqa: TID251 -- one that may
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, DateTimeField, JSONField, UUIDField
from psycopg import abc, errors, pq
from psycopg import adapters as defaults
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.types.json import Jsonb
from psycopg.types.string import TextLoader

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
#: Not ids, numbers, instants and codes.
_NEEDS_CARE = re.compile(rb"[^A-Za-z0-9 _:.+-]")


def _succeeded(driver: pq.abc.PGconn, result: pq.abc.PGresult) -> None:
    if result.status not in _FINE:
        if driver.status != pq.ConnStatus.OK:
            raise errors.OperationalError("the connection is gone")
        raise errors.error_from_result(result)


def _prepares(database: BaseDatabaseWrapper) -> bool:
    """On PostgreSQL, but for poolers that give each transaction another connection (Django's own setting for them), and
    for whoever logs queries: those want to see them."""
    return (
        database.vendor == "postgresql"
        and not database.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        and not database.queries_logged
    )


# -- values ------------------------------------------------------------------------------------------------------------

_FIELDS: dict[type, Any] = {UUID: UUIDField(), date: DateField(), datetime: DateTimeField(), dict: JSONField()}


def adapted(value: object) -> object:
    """As the database's driver takes it."""
    field = _FIELDS.get(type(value))
    return value if field is None else field.get_db_prep_value(value, connection)


class InstantLoader(Loader):
    """Django's own takes longer over one instant than over the rest of a row. Connections speak UTC here."""

    def load(self, data: Any) -> datetime:
        return datetime.fromisoformat(str(data, "ascii"))


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
