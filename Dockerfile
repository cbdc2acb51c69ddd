# The whole service in one image: web, worker, beat, the commands of manage.py, and the pretend banks.

FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.lock /build/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/requirements.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    DJANGO_SETTINGS_MODULE=gateway.settings \
    SLUICE_DATA_DIRECTORY=/data \
    SLUICE_SECRETS_DIRECTORY=/run/secrets \
    SLUICE_STATIC_DIRECTORY=/app/static
COPY --from=packages /venv /venv
COPY . /app
WORKDIR /app
# A pointer to /app, for the entry points of the connectors; everything it needs is there already.
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e /app
# Settings want secrets to load; these are made, used and gone within this one layer.
RUN python -m gateway.compose --directory /tmp/unused/secrets --environment /tmp/unused/env \
    && SLUICE_SECRETS_DIRECTORY=/tmp/unused/secrets SLUICE_DATA_DIRECTORY=/tmp/unused/data \
       python manage.py collectstatic --noinput --verbosity 0 \
    && rm -r /tmp/unused
# Volumes take their mode from here. Whoever the container runs as may write; each volume is one service's own.
RUN install -d -m 1777 /data /data/bank /data/card
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "gateway.embedded.readiness", "http://127.0.0.1:8000/readyz"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--no-ws", "--log-level", "warning", "gateway.wsgi:application"]
