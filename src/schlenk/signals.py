"""The signals an application sends: blinker's, or silent ones where blinker is not installed.

The silent ones can be sent, at the price of a call that does nothing; connecting to one says what to install. As in
Flask 1.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    from blinker import Namespace

    signals_available = True
else:
    try:
        from blinker import Namespace

        signals_available = True
    except ImportError:
        signals_available = False

        class SilentSignal:
            """Stands in for a signal of blinker's that nobody can listen to."""

            receivers: ClassVar[dict[Any, Any]] = {}

            def __init__(self, name: str, doc: str | None = None) -> None:
                self.name = name
                self.__doc__ = doc

            def send(self, *sender: Any, **values: Any) -> None:
                """Do nothing: there can be no receiver."""

            def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
                raise RuntimeError(
                    f"The signal {self.name!r} can't have or tell receivers, because blinker is not installed: "
                    "install it with  pip install 'schlenk[signals]'."
                )

            connect = connect_via = connected_to = temporarily_connected_to = disconnect = _refuse
            has_receivers_for = receivers_for = _refuse

        class Namespace:
            """Makes silent signals, under the name of the class of blinker's that makes real ones."""

            def signal(self, name: str, doc: str | None = None) -> SilentSignal:
                """Return a silent signal called ``name``."""
                return SilentSignal(name, doc)


# The six that every request sends are sent only if they have receivers: to find none takes blinker 1 µs each.
_signals = Namespace()

request_started = _signals.signal("request-started", "A request context is there and no hook has run yet.")
request_finished = _signals.signal("request-finished", "A response is ready to be sent; given as ``response``.")
request_tearing_down = _signals.signal("request-tearing-down", "The request context goes; the error is ``exc``.")
got_request_exception = _signals.signal("got-request-exception", "An error nobody handled is about to become a 500.")
appcontext_tearing_down = _signals.signal("appcontext-tearing-down", "The application context goes; with ``exc``.")
appcontext_pushed = _signals.signal("appcontext-pushed", "An application context was pushed.")
appcontext_popped = _signals.signal("appcontext-popped", "An application context was popped.")
message_flashed = _signals.signal("message-flashed", "A message was flashed; given as ``message``, ``category``.")
