"""The signals that an application sends: blinker's signals, or silent ones if blinker is not installed.

Sending a silent signal does nothing. Connecting to one raises an error that says what to install.

The six signals of every request and application context (``request_started``, ``request_finished``,
``request_tearing_down`` and ``appcontext_...``) are sent only if they have receivers. A test that replaces the ``send``
method of one of them therefore sees no call: connect a receiver instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from .missing import missing_from

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
            """The replacement for a blinker signal: it can be sent, but it cannot have receivers."""

            receivers: ClassVar[dict[Any, Any]] = {}

            def __init__(self, name: str, doc: str | None = None) -> None:
                self.name = name
                self.__doc__ = doc

            def send(self, *sender: Any, **values: Any) -> None:
                """Do nothing, because there are no receivers."""

            def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
                raise RuntimeError(
                    f"The signal {self.name!r} cannot have receivers, because blinker is not installed. "
                    "Install it with: pip install 'schlenk[signals]'"
                )

            connect = connect_via = connected_to = temporarily_connected_to = disconnect = _refuse
            has_receivers_for = receivers_for = _refuse

        class Namespace:
            """The replacement for ``blinker.Namespace``, which creates silent signals."""

            def signal(self, name: str, doc: str | None = None) -> SilentSignal:
                """Return a new silent signal."""
                return SilentSignal(name, doc)


# The senders of the six signals of every request and context check `receivers` first, because sending a signal without
# receivers takes blinker 1 µs.
_signals = Namespace()

request_started = _signals.signal("request-started", "Sent before the hooks of a request run.")
request_finished = _signals.signal("request-finished", "Sent with the final ``response``.")
request_tearing_down = _signals.signal("request-tearing-down", "Sent with ``exc`` before a request context is popped.")
got_request_exception = _signals.signal("got-request-exception", "Sent with an ``exception`` that no handler handled.")
appcontext_tearing_down = _signals.signal("appcontext-tearing-down", "Sent with ``exc`` before the context is popped.")
appcontext_pushed = _signals.signal("appcontext-pushed", "Sent when an application context is pushed.")
appcontext_popped = _signals.signal("appcontext-popped", "Sent when an application context is popped.")
message_flashed = _signals.signal("message-flashed", "Sent with ``message`` and ``category``.")

if not TYPE_CHECKING:
    # To a type checker, a module with a __getattr__ has every name.
    __getattr__ = missing_from(__name__)
