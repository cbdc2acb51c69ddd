"""The ORM's own queries, compiled once for each shape, and run as text from then on.

A shape is compiled with slots in the place of values; the ORM writes the text, and its converters read the rows, so
that there is one source of columns and filters. On PostgreSQL a text is prepared once for each connection, which saves
planning it again for every read.
"""

import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connection  # noqa: TID251 -- one of the modules that may
from django.db.models import DateField, DateTimeField, QuerySet, UUIDField
from django.db.models.expressions import Col
from psycopg.adapt import Loader

Converters = list[tuple[int, list[Any], Any]]  #: position in a row, what is applied to it one after another, expression

# -- slots ------------------------------------------------------------------------------------------------------------

_UUIDS = ("account_id", "after_id", "consent_id", "institution_id", "platform_id", "user_id")
_DAYS = ("after_on", "end_on", "history_from", "start_on")
_INSTANTS = ("now",)

_FIRST = 0x51075 << 100
#: What stands for each value in a query that is compiled: of its type, equal to no other, and met nowhere else.
SLOTS: dict[str, Any] = {
    **{name: UUID(int=number) for number, name in enumerate(_UUIDS, _FIRST)},
    **{name: date(7, 7, number) for number, name in enumerate(_DAYS, 1)},
    **{name: datetime(7, 8, number, tzinfo=UTC) for number, name in enumerate(_INSTANTS, 1)},
}
_FIELDS: dict[type, Any] = {UUID: UUIDField(), date: DateField(), datetime: DateTimeField()}


def id_slots(count: int) -> dict[str, UUID]:
    """Slots for a list of ids: `id_0`, `id_1` and so on."""
    return {f"id_{number}": UUID(int=_FIRST + 100 + number) for number in range(count)}


def adapted(value: object) -> object:
    """As the database's driver takes it."""
    field = _FIELDS.get(type(value))
    return value if field is None else field.get_db_prep_value(value, connection)


# -- a compiled query -------------------------------------------------------------------------------------------------


class Compiled:
    """One shape of a query. `rows` are tuples in the order of its columns."""

    def __init__(self, query: QuerySet[Any, Any], *, slots: Mapping[str, Any] = SLOTS) -> None:
        """`query` is one of `.values_list()`, made with `slots`."""
        compiler = query.query.get_compiler(connection=connection)
        text, parameters = compiler.as_sql()
        names = {adapted(slot): name for name, slot in slots.items()}
        self._parameters = [(names.get(one), one) for one in parameters]
        self.text = text
        self._statement = Statement(text)
        found = compiler.get_converters([one[0] for one in compiler.select])
        self._converters: Converters = [(position, *found[position]) for position in sorted(found)]

    def embedded(self) -> tuple[str, list[tuple[str | None, object]]]:
        """Text, and names or values of its parameters: to be part of another statement."""
        return self.text, self._parameters

    def rows(self, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """`values` for every slot that the query has."""
        parameters = [constant if name is None else adapted(values[name]) for name, constant in self._parameters]
        return converted(self._statement.run(parameters), self._converters)


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
    made = []
    for row in rows:
        values = list(row)
        for position, applied, expression in converters:
            for convert in applied:
                values[position] = convert(values[position], expression, connection)
        made.append(tuple(values))
    return made


class InstantLoader(Loader):
    """Django's own takes longer over one instant than over the rest of a row. Connections speak UTC here."""

    def load(self, data: Any) -> datetime:
        return datetime.fromisoformat(str(data, "ascii"))


# -- running text -----------------------------------------------------------------------------------------------------

#: Of one connection. A statement that is crowded out is prepared again when it comes back.
_PREPARED_MAX = 100
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
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.adapters.register_loader("timestamptz", InstantLoader)
            if _prepares():
                self._prepare(cursor)
                cursor.execute(f"EXECUTE {self._name}{self._arguments}", parameters)
            else:
                cursor.execute(self.text, parameters)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _prepare(self, cursor: Any) -> None:
        """On this connection, where it is not known there yet."""
        known = _prepared.setdefault(connection.connection, OrderedDict())
        if self._name in known:
            known.move_to_end(self._name)
            return
        if len(known) >= _PREPARED_MAX:
            cursor.execute(f"DEALLOCATE {known.popitem(last=False)[0]}")
        cursor.execute(f"PREPARE {self._name} AS {self._numbered}")
        known[self._name] = None


def _prepares() -> bool:
    """On PostgreSQL, but for poolers that give each transaction another connection (Django's own setting for them), and
    for whoever logs queries: those want to see them."""
    return (
        connection.vendor == "postgresql"
        and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        and not connection.queries_logged
    )
