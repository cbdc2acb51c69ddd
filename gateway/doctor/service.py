"""What Django is needed for: settings, database, migrations, Redis, clock, worker, static files, banks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from gateway.advice import manage
from gateway.doctor.finding import Finding, ok, problem, warning

CLOCK_APART_MAX = timedelta(seconds=5)
#: A worker gives a sign of life every half minute at least.
WORKER_SILENT_MAX = timedelta(minutes=2)


def examined(issuer: str) -> Iterator[Finding]:
    """`issuer`: of the instance that runs here; empty: none does."""
    settings_say = _settings()
    yield settings_say
    if settings_say.advice:
        return
    yield from _servers(issuer)
    yield _static_files()


def _settings() -> Finding:
    try:
        import django

        django.setup()
    except ImportError as error:
        return problem("settings", f"{error.name} is not installed.", "python3 run.py")
    except Exception as error:  # noqa: BLE001 -- whatever it is, the doctor is who must tell it
        from gateway.environment import EnvironmentInvalid

        if isinstance(error, EnvironmentInvalid):
            return problem("settings", str(error), "see docs/operator.md, Running it")
        return problem("settings", f"cannot be loaded ({type(error).__name__}).", manage("check"))
    return ok("settings", "can be loaded")


def _servers(issuer: str) -> Iterator[Finding]:
    database, servers_clock = _database()
    yield from database
    redis_says, redis_clock = _redis()
    yield from redis_says
    yield _clock(servers_clock or redis_clock)
    if any(one.advice for one in database):
        return
    yield _worker(is_running=bool(issuer))
    yield from _banks(is_running=bool(issuer))
    if issuer:
        yield _web(issuer)


def _database() -> tuple[list[Finding], datetime | None]:
    """What is to be said of it, and its clock where it has one of its own."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import DatabaseError, connections
    from django.db.migrations.executor import MigrationExecutor
    from django.db.models.functions import Now

    connection = connections["default"]
    where = f"{connection.vendor} {connection.settings_dict['HOST'] or connection.settings_dict['NAME']}"
    try:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        clock = None if waiting else ContentType.objects.annotate(now=Now()).values_list("now", flat=True).first()
    except DatabaseError as error:
        advice = "check DATABASE_URL, and that the server runs and takes connections from here"
        return [problem("database", f"{where} does not answer ({type(error).__name__}).", advice)], None
    if waiting:
        return [problem("database", f"{where}: {waiting} migrations are not applied.", manage("migrate"))], None
    return [ok("database", f"{where}, all migrations applied")], clock if connection.vendor == "postgresql" else None


def _redis() -> tuple[list[Finding], datetime | None]:
    import redis
    from django.conf import settings

    if not settings.REDIS_URL:
        return [ok("redis", "none is set; messages are files, caches a table")], None
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            seconds, microseconds = client.time()
    except redis.RedisError as error:
        advice = "check REDIS_URL, and that the server runs; reads and stops go on without it, sign-in does not"
        return [problem("redis", f"does not answer ({type(error).__name__}).", advice)], None
    return [ok("redis", "answers")], datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)


def _clock(servers: datetime | None) -> Finding:
    from consents import clock

    now = clock.now()
    if servers is None:
        return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; nothing to compare it with")
    apart = abs(now - servers)
    if apart > CLOCK_APART_MAX:
        text = f"{apart.total_seconds():.0f} s away from the server's: ends, codes and leases go by it."
        return problem("clock", text, "timedatectl set-ntp true (here and there)")
    return ok("clock", "as the server's")


def _worker(*, is_running: bool) -> Finding:
    import redis
    from django.db import DatabaseError

    from consents import clock
    from gateway import heartbeat

    start = "celery -A gateway worker -P threads -c 8 (python3 run.py starts one)"
    try:
        last = heartbeat.last()
    except (redis.RedisError, DatabaseError):
        return warning("worker", "cannot be asked: there is no cache.", manage("createcachetable"))
    if last is None:
        silent = "none was ever seen to do anything."
        return problem("worker", silent, start) if is_running else warning("worker", silent, start)
    since = clock.now() - last
    if since > WORKER_SILENT_MAX:
        silent = f"none was seen to do anything for {since.total_seconds():.0f} s."
        return problem("worker", silent, start) if is_running else warning("worker", silent, start)
    return ok("worker", f"did something {max(0.0, since.total_seconds()):.0f} s ago")


def _banks(*, is_running: bool) -> Iterator[Finding]:
    from banks import directory
    from banks.types import InstitutionStatus
    from gateway.embedded.readiness import answers, bank_ready_url

    for card in directory.institutions():
        if card.is_sandbox and is_running and not answers(bank_ready_url(f"http://{card.domain}")):
            advice = "stop with Ctrl-C and start again: python3 run.py"
            yield problem("bank", f"{card.slug} (a pretend one) does not answer at {card.domain}.", advice)
        elif card.status != InstitutionStatus.ALIVE:
            advice = manage(f"findings --bank {card.slug}")
            yield warning("bank", f"{card.slug} is {card.status}: it failed too often, and is tried again.", advice)
        else:
            yield ok("bank", card.slug)


def _web(issuer: str) -> Finding:
    from gateway.embedded.readiness import answers, web_ready_url

    if answers(web_ready_url(issuer)):
        return ok("web", f"{issuer} is ready")
    return problem("web", f"{issuer} is not ready.", "look into web.log among the logs, in the data directory")


def _static_files() -> Finding:
    from pathlib import Path

    from django.conf import settings

    if any(Path(settings.STATIC_ROOT).glob("*")):
        return ok("static files", str(settings.STATIC_ROOT))
    text = "not collected; run.py's own instance finds them, any other serves pages without styles."
    return warning("static files", text, manage("collectstatic --noinput"))
