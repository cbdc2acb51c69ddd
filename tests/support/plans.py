"""How the database would go about a statement."""

from django.db import connection

from tests import environment


def explained(sql: str) -> str:
    """The plan, a step a line, of a statement as a captured query tells it."""
    explain = "EXPLAIN QUERY PLAN " if environment.database() == environment.SQLITE else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(explain + sql)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
