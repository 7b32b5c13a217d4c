"""The command line.

``python -m schlenk trace module:app /path`` makes a request and prints its steps.

``python -m schlenk flask ARGUMENTS`` runs the ``flask`` command after :func:`~schlenk.install_under_flask`. An
application cannot call that function under the ``flask`` command, which imports Flask first.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Callable, NoReturn, TextIO

from werkzeug.test import EnvironBuilder

from .globals import _app_ctx_stack
from .install import install_under_flask
from .trace import trace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    :param arguments: the arguments; default: those of the process.
    :raises SystemExit: the arguments are wrong or the application can't be imported (2), or help was asked for (0).
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m schlenk", description="Tools for applications of schlenk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    flask_command = commands.add_parser(
        "flask", add_help=False, help="the command line of Flask, after install_under_flask(): flask run"
    )
    trace_command = _add_trace(commands)
    if arguments[:1] == ["flask"]:
        # Not parsed here, because Flask parses its own options.
        _install(flask_command.error)
        from flask.cli import cli

        cli.main(args=list(arguments[1:]), prog_name="python -m schlenk flask")
    options = parser.parse_args(arguments)
    output = sys.stdout
    # Anything that the application prints would make the JSON invalid.
    with redirect_stdout(sys.stderr if options.json else output):
        return _trace(options, output, trace_command.error)


def _add_trace(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``trace`` and return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "trace",
        help="make a request, and print each step of it",
        description="Make a request to an application, without a server. Print each step: when it began and how long "
        "it took (in ms), the application and request stacks after it, and what it returned or raised.",
    )
    command.add_argument(
        "app", metavar="MODULE:APP", help="the application, or a function that returns it: shop:create_app()"
    )
    command.add_argument("path", metavar="PATH", help="the path and query string, or a URL")
    command.add_argument("--method", help="the method (default: GET, or POST if there is --data)")
    command.add_argument(
        "--header", action="append", default=[], type=_header, metavar="'NAME: VALUE'", help="may be repeated"
    )
    command.add_argument("--data", help="the body, a form unless there is a Content-Type header")
    command.add_argument("--json", action="store_true", help="print the record as JSON")
    command.add_argument("--html", metavar="FILE", help="write a page that shows the steps and the stacks")
    command.add_argument(
        "--repeat", type=_positive, default=1, metavar="N", help="make N requests, and keep cookies between them"
    )
    command.add_argument("--under-flask", action="store_true", help="call install_under_flask() first")
    return command


def _trace(options: argparse.Namespace, output: TextIO, refuse: Callable[[str], NoReturn]) -> int:
    """Make the requests, write their steps, and return the exit code.

    :param refuse: called with a message if the options are wrong. It exits.
    """
    if not options.path.startswith(("/", "http://", "https://")):
        refuse(f"the path {options.path!r} does not start with a slash")
    if options.under_flask:
        _install(refuse)
    app = _load(options.app, refuse)
    if options.data is not None and not any(name.lower() == "content-type" for name, _ in options.header):
        options.header.append(("Content-Type", "application/x-www-form-urlencoded"))
    method = options.method or ("GET" if options.data is None else "POST")
    try:
        EnvironBuilder(options.path, method=method, headers=options.header, data=options.data).close()
    except ValueError as error:
        refuse(f"the request can't be made: {error}")
    client = app.test_client()
    failure = None
    with trace() as way:
        try:
            for _ in range(options.repeat):
                client.open(options.path, method=method, headers=options.header, data=options.data, buffered=True)
        except BaseException as error:
            # Also for Ctrl-C, because the timeline shows which step hangs, and for an application that exits.
            failure = error
    text = way.to_json() if options.json else str(way)
    output.write(text.encode(output.encoding, "backslashreplace").decode(output.encoding) + "\n")
    if options.html:
        try:
            Path(options.html).write_text(way.to_html(), encoding="utf-8")
        except OSError as error:
            refuse(f"the page can't be written: {error}")
    if failure is not None:
        traceback.print_exception(type(failure), failure, failure.__traceback__)
        return 1
    return 0


def _install(refuse: Callable[[str], NoReturn]) -> None:
    try:
        install_under_flask()
    except RuntimeError as error:
        refuse(str(error))


def _load(place: str, refuse: Callable[[str], NoReturn]) -> Any:
    """Import the application, and call it if ``place`` ends in parentheses."""
    module_name, _, name = place.partition(":")
    if not module_name or not name:
        refuse(f"{place!r} does not name an application: write it as module:app or module:create_app()")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            traceback.print_exc()
        refuse(f"the module {module_name!r} can't be imported: {error}")
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        refuse(f"the module {module_name!r} can't be imported: {type(error).__name__}: {error}")
    factory = name.endswith("()")
    name = name[:-2] if factory else name
    if not hasattr(module, name):
        refuse(f"the module {module_name!r} has no {name!r}")
    app = getattr(module, name)
    if factory:
        try:
            app = app()
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            refuse(f"{place} failed: {type(error).__name__}: {error}")
    if not hasattr(app, "wsgi_app") or not hasattr(app, "test_client"):
        hint = f": if it returns one, write {place}()" if inspect.isroutine(app) and not factory else ""
        refuse(f"{place} is a {type(app).__name__}, which is not an application{hint}")
    if _is_of_flask(app) and getattr(sys.modules["flask"], "_app_ctx_stack", None) is not _app_ctx_stack:
        refuse(f"{place} is an application of Flask: add --under-flask")
    return app


def _is_of_flask(app: Any) -> bool:
    return any(base.__module__ == "flask.app" for base in type(app).__mro__)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 'Name: value'")
    return name.strip(), value.strip()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
