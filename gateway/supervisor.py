"""Run the whole of Sluice on one machine: `python -m gateway.supervisor`, which `python3 run.py` does for you.

Prepares the data directory, then keeps four processes running: web, worker and two pretend banks; five with the sample
platform. It never imports Django, so that it costs nothing and survives what they do not.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.embedded import banks, example, report, shell
from gateway.embedded import instance as instances
from gateway.embedded.errors import CannotStart, KeepsDying, StopRequested
from gateway.embedded.instance import Instance
from gateway.embedded.logs import Log, flush_or_forget, nobody_listens, to_terminal
from gateway.embedded.plan import TABLES_ARE_THERE, WORKER_ENVIRONMENT, Plan, plan
from gateway.embedded.processes import ROOT, Lifeline, Service, Task, ending, stop_all
from gateway.embedded.readiness import answers, bank_ready_url, web_ready_url

SETUP_SECONDS = 180.0
READY_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.05

_stop_signals = 0


def _count_signal(*_: object) -> None:
    global _stop_signals  # an Event's lock may be held by the very code that the handler interrupts
    _stop_signals += 1


class Supervisor:
    """The processes of one instance, from the first to the last."""

    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.instance = instance
        self.plan = plan
        self._environment = instance.environment()
        self._lifeline = Lifeline()
        self._services: list[Service] = []
        self._tasks: list[Task] = []

    def start(self) -> dict[str, Any]:
        """Start everything and wait until it is ready, which it says itself only then; returns the seed's description.

        Raises CannotStart, KeepsDying, StopRequested.
        """
        shell.forget(self.instance)
        pretend = self.instance.banks()
        # It waits for the banks to answer before it seeds.
        preparation = self._task("setup", self.plan.preparation, banks.told(pretend) | example.told(self.instance))
        for bank in pretend:
            self._serve(bank.process, self.plan.banks[bank.process], bank.environment())
        # Nothing to serve yet, but it takes them as long to begin as it takes the seed.
        self._until(
            lambda: preparation.has_said(TABLES_ARE_THERE) or preparation.returncode() is not None,
            SETUP_SECONDS,
            f"{preparation.name} did not finish",
        )
        if preparation.returncode():
            self._finish(preparation)
        self._serve("web", self.plan.web, {"SLUICE_READY_FILE": str(self.instance.data / shell.FILE)})
        self._serve("worker", self.plan.worker, WORKER_ENVIRONMENT)
        seed = described(self._finish(preparation))
        for bank in pretend:
            self._wait_for(bank_ready_url(bank.issuer))
        shell.write(self.instance, seed)
        self._wait_for(web_ready_url(self.instance.issuer))
        self._start_example(seed)
        return seed

    def _start_example(self, seed: Mapping[str, Any]) -> None:
        address = example.origin(self.instance)
        if address is None:
            return
        environment, log = example.environment(self.instance, seed), Log(self.instance.logs, example.PROCESS)
        self._services.append(Service(example.PROCESS, list(self.plan.example), environment, self._lifeline, log))
        self._wait_for(f"{address}/style.css")

    @property
    def process_ids(self) -> dict[str, int]:
        """By name, of those that run. A process that dies is started again under another id."""
        running = ((service.name, service.process_id) for service in self._services)
        return {name: process_id for name, process_id in running if process_id is not None}

    def watch(self) -> None:
        """Keep the services running until a signal asks to stop. Raises KeepsDying."""
        while not _stop_signals:
            self._tend()
            time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """End every process; a second signal makes it immediate."""
        for task in self._tasks:
            task.kill()
        before = _stop_signals
        stop_all(self._services, in_a_hurry=lambda: _stop_signals > before)

    def _serve(self, name: str, arguments: list[str], extra: Mapping[str, str] = MappingProxyType({})) -> None:
        environment = {**self._environment, **extra}
        self._services.append(Service(name, arguments, environment, self._lifeline, Log(self.instance.logs, name)))

    def _task(self, name: str, arguments: list[str], extra: Mapping[str, str]) -> Task:
        environment = {**self._environment, **extra}
        task = Task(name, arguments, environment, self._lifeline, Log(self.instance.logs, name))
        self._tasks.append(task)
        return task

    def _wait_for(self, url: str) -> None:
        self._until(lambda: answers(url), READY_SECONDS, f"{url} does not answer 200")

    def _finish(self, task: Task) -> str:
        self._until(lambda: task.returncode() is not None, SETUP_SECONDS, f"{task.name} did not finish")
        self._tasks.remove(task)
        returncode = task.returncode()
        if returncode:
            raise CannotStart(f"Setting up failed in {task.name} ({ending(returncode)}). See {task.log.file}.")
        return task.output()

    def _until(self, condition: Callable[[], bool], seconds: float, complaint: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if _stop_signals:
                raise StopRequested
            if time.monotonic() > deadline:
                raise CannotStart(f"After {seconds:.0f} s, {complaint}. See {self.instance.logs}.")
            self._tend()
            time.sleep(LOOK_EVERY_SECONDS)

    def _tend(self) -> None:
        for service in self._services:
            service.tend()


def described(output: str) -> dict[str, Any]:
    """The seed's JSON: the last line of its output. Raises CannotStart."""
    lines = output.strip().splitlines() or [""]
    try:
        found = json.loads(lines[-1])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CannotStart("`manage.py seed_embedded --json` did not print a JSON object as its last line.")
    return found


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m gateway.supervisor",
        description="Run Sluice and two pretend banks on one machine, which python3 run.py does for you.",
        epilog="For example: python -m gateway.supervisor --port 8100 --data-directory /tmp/try",
    )
    top.add_argument("--port", type=int, metavar="N", help="port of the gateway (default: 8000, or the next free one)")
    top.add_argument("--bank-port", type=int, metavar="N", help="port of the pretend bank (default: the next one)")
    top.add_argument("--card-port", type=int, metavar="N", help="port of the pretend card issuer (default: the next)")
    top.add_argument("--example-port", type=int, metavar="N", help="port of the sample platform (default: the next)")
    top.add_argument("--with-example", action="store_true", help="also run the sample platform")
    top.add_argument("--data-directory", type=Path, metavar="DIR", help="where the data is kept (default: var)")
    top.add_argument("--reset", action="store_true", help="begin with an empty data directory")
    top.add_argument("--json", action="store_true", help="print one line of JSON when ready; all else on stderr")
    return top


def prepare_instance(options: argparse.Namespace) -> Instance:
    """The locked data directory with its secrets, and free ports. Raises CannotStart."""
    chosen = options.data_directory or os.environ.get("SLUICE_DATA_DIRECTORY") or ROOT / "var"
    data = Path(chosen).absolute()
    try:
        return _prepared(data, options)
    except OSError as error:
        raise CannotStart(instances.unwritable(data, error, "--data-directory")) from error


def _prepared(data: Path, options: argparse.Namespace) -> Instance:
    if options.reset and not instances.is_ours(data):
        raise CannotStart(f"{data} is not a data directory of Sluice, so --reset deleted nothing. Choose another one.")
    lock = instances.lock(data)
    wanted = {"--port": options.port, "--bank-port": options.bank_port, "--card-port": options.card_port}
    if options.with_example or options.example_port is not None:
        wanted["--example-port"] = options.example_port
    ports = instances.choose_ports(wanted, instances.FIRST_PORT)
    if options.reset:
        instances.wipe(data)
        if os.environ.get("DATABASE_URL"):
            to_terminal("--reset emptied the data directory; the database that DATABASE_URL names is untouched.")
    instance = Instance(data, *ports.values())
    instances.make_secrets(instance.secrets)
    instances.sign_lock(lock, instance)
    return instance


def announce(text: str) -> None:
    """Print on stdout; nobody listening there is no reason to end."""
    try:
        print(text, flush=True)
    except OSError:
        nobody_listens(1)


def run(options: argparse.Namespace, planned: Callable[[Instance], Plan]) -> None:
    """Start, report, and supervise until asked to stop."""
    began = time.monotonic()
    instance = prepare_instance(options)
    to_terminal(f"Starting Sluice on {instance.issuer} (data in {instance.data})")
    supervisor = Supervisor(instance, planned(instance))
    try:
        seed = supervisor.start()
        seconds = time.monotonic() - began
        to_terminal(f"Ready after {seconds:.1f} s")
        if options.json:
            announce(report.as_json(instance, seed, supervisor.process_ids))
        else:
            announce(report.as_text(instance, seed, seconds))
        supervisor.watch()
    finally:
        to_terminal("Stopping")
        supervisor.stop()


def main(arguments: list[str], planned: Callable[[Instance], Plan] = plan) -> int:
    options = parser().parse_args(arguments)
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _count_signal)
    try:
        run(options, planned)
    except CannotStart as problem:
        to_terminal(str(problem))
        return 2
    except KeepsDying as problem:
        to_terminal(f"Giving up: {problem}")
        return 1
    except StopRequested:
        return 130
    finally:
        flush_or_forget()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
