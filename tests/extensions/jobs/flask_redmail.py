"""Send a message, made from a template, to a server in a thread."""

import smtplib
import socket
from threading import Thread

from flask import Flask
from flask_redmail import RedMail
from jinja2 import DictLoader

listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(30)
received = []


def serve():
    """Answer one client of SMTP."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as stream:

        def answer(text):
            stream.write(text.encode() + b"\r\n")
            stream.flush()

        answer("220 ready")
        for line in stream:
            command = line.split()[0].upper()
            if command == b"DATA":
                answer("354 go on")
                received.extend(iter(stream.readline, b".\r\n"))
            if command == b"QUIT":
                answer("221 bye")
                return
            answer("250 ok")


# The extension always asks for TLS, and the server has no certificate.
smtplib.SMTP.starttls = lambda self, **options: None
app = Flask("shop")
app.config.update(
    SMTP_HOST="127.0.0.1",
    SMTP_PORT=listener.getsockname()[1],
    SMTP_SENDER="shop@example.com",
    PROPAGATE_EXCEPTIONS=True,
)
app.jinja_loader = DictLoader({"note.txt": "Buy {{ what }}."})
email = RedMail(app)


@app.route("/<what>")
def index(what):
    email.send(
        subject="note",
        receivers=["ada@example.com"],
        text_template="note.txt",
        body_params={"what": what},
    )
    return "sent"


server = Thread(target=serve, daemon=True)
server.start()
assert app.test_client().get("/milk").text == "sent"
server.join(30)
listener.close()
message = b"".join(received)
assert b"Buy milk." in message
assert b"To: ada@example.com" in message
