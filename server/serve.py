"""Running the app: gunicorn inside, several processes of many threads."""

from __future__ import annotations

import gc
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http import message
from gunicorn.workers.gthread import ThreadWorker

from server.acts.exporting import sweep_exports_at_start
from server.db import db
from server.logs import log
from server.settings import Settings
from server.upkeep.background import begin

# A request in work when the server is told to stop may still finish.
_GRACE_SECONDS = 20
_KEPT_OPEN = 2
# So often, and each time for so long, a thread looks for the next request, unless somebody waits for a thread.
_LOOKS, _LOOK_MILLISECONDS = 20, 50
# So long one thread may compute while another waits to. Whoever holds the lock of the database, for which all others
# wait, is among the waiting as soon as it has looked at the disk.
_TURN_SECONDS = 0.0005


# A tablet asks about hundreds of entities in one address, and filters are long. gunicorn takes no more than its own
# constant says, whatever is set; what is longer is 414.
_LONGEST_LINE = message.MAX_REQUEST_LINE = 64 * 1024


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's own, which says that it lives so often as its master asks, not twice for each request.

    A tablet sends form after form over one connection. While threads are free, the one that has answered waits a moment
    for the next: to hand the connection back to the main thread, and to take it from there, costs more than to read it.
    """

    _said_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waited_for: set[Any] = set()
        self.end_background: Callable[[], None] = lambda: None

    def notify(self) -> None:
        if time.monotonic() - self._said_at >= 1.0:
            self._said_at = time.monotonic()
            super().notify()

    def handle(self, conn: Any) -> Any:
        kept = super().handle(conn)
        while kept is True and self._sends_more(conn):
            kept = super().handle(conn)
        return kept

    def _sends_more(self, conn: Any) -> bool:
        """Whether the next request begins to arrive within a moment; False if this thread is of more use elsewhere."""
        if self.cfg.threads <= _KEPT_OPEN or len(self.waited_for) >= _KEPT_OPEN or conn.parser.unreader.buf.getvalue():
            return False
        self.waited_for.add(conn)
        try:
            waiting = select.poll()
            waiting.register(conn.sock, select.POLLIN)
            for _ in range(_LOOKS):
                if not self.alive or not self.tpool._work_queue.empty():
                    return False
                if waiting.poll(_LOOK_MILLISECONDS):
                    return True
            return False
        finally:
            self.waited_for.discard(conn)


class Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn with the app already loaded, so that its processes share the memory and answer at once.

    Threads, because phones on slow links hold a connection for minutes; processes, because Python computes in one
    thread at a time.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"{_bracketed(self._settings.host)}:{self._settings.port}",
            "workers": self._settings.processes,
            "worker_class": Worker,
            "threads": self._settings.threads,
            # Few connections are kept open between requests; whoever comes back is taken by the process that is free.
            "worker_connections": self._settings.threads + _KEPT_OPEN,
            "preload_app": True,
            "graceful_timeout": _GRACE_SECONDS,
            "timeout": 120,
            "keepalive": 15,
            "limit_request_line": _LONGEST_LINE,
            # Whose forwarded headers are believed is for the front door alone to say.
            "forwarded_allow_ips": "",
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_fork": _forget_connections,
            "pre_request": _share_out,
            "post_worker_init": _begin_background,
            "worker_exit": _end_background,
            "when_ready": self._say_where,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    def _say_where(self, server: Any) -> None:
        port = next((listener.sock.getsockname()[1] for listener in server.LISTENERS), self._settings.port)
        click.echo(f"Siby listens on {self._settings.public_url or _address(self._settings.host, port)}")
        log("serving", processes=self._settings.processes, threads=self._settings.threads)


def serve(app: Flask, settings: Settings) -> None:
    """Serve until told to stop; requests in work are finished first."""
    sweep_exports_at_start(app)
    spare_what_is_loaded()
    sys.setswitchinterval(_TURN_SECONDS)
    Gunicorn(app, settings).run()


def spare_what_is_loaded() -> None:
    """Have the garbage collector leave alone what is loaded by now, and look less often.

    It stays anyway: to look through it again and again costs a statement a third of its time, and the processes would
    cease to share its memory.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def why_not_free(host: str, port: int) -> str | None:
    """What keeps the port from being listened on, in the system's words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _forget_connections(_server: Any, worker: Any) -> None:
    """A connection made before the fork must not be used by two processes."""
    app: Flask = worker.app.load()
    with app.app_context():
        db.engine.dispose(close=False)


def _share_out(worker: Any, request: Any) -> None:
    """Whoever sends while this process has other requests in work connects anew, to a process that is free.

    A kept connection stays with the process that took it: four tablets that send at once were often served by one.
    """
    in_work = worker.nr_conns - len(worker.keepalived_conns) - len(worker.pending_conns) - len(worker.waited_for)
    if request.method == "POST" and in_work > 1:
        request.force_close()


def _begin_background(worker: Any) -> None:
    worker.end_background = begin(worker.app.load())


def _end_background(_server: Any, worker: Any) -> None:
    worker.end_background()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 — it is only compared
    return f"http://{_bracketed(shown)}:{port}"
