"""Serve the application with servers that have no command: ``python -m tests.servers.serve HOW PORT``."""

from __future__ import annotations

import sys
from typing import Any


def run_simple(port: int, **options: Any) -> None:
    import werkzeug.serving

    from tests.servers.application import application

    class Quiet(werkzeug.serving.WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *args: Any) -> None:
            """Do not log the thousands of requests."""

    werkzeug.serving.run_simple("127.0.0.1", port, application, request_handler=Quiet, **options)


def pywsgi(port: int) -> None:
    # Before the application, which checks whether gevent is imported.
    from gevent.pywsgi import WSGIServer

    from tests.servers.application import application

    WSGIServer(("127.0.0.1", port), application, log=None).serve_forever()


def patched_pywsgi(port: int) -> None:
    # Before any other import.
    from gevent.monkey import patch_all

    patch_all()
    pywsgi(port)


HOW = {
    "run_simple-threaded": lambda port: run_simple(port, threaded=True),
    "run_simple-processes": lambda port: run_simple(port, processes=8),
    "pywsgi": pywsgi,
    "pywsgi-patched": patched_pywsgi,
}

if __name__ == "__main__":
    HOW[sys.argv[1]](int(sys.argv[2]))
