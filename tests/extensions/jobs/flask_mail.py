"""Send a message with an attachment from a view, and several on one connection."""

from flask import Flask, current_app
from flask_mail import Mail, Message

app = Flask("shop")
app.config.update(MAIL_SUPPRESS_SEND=True, MAIL_DEFAULT_SENDER=("The shop", "shop@example.com"))
mail = Mail(app)


@app.route("/<name>")
def index(name):
    message = Message(f"Grüße, {name}", recipients=[f"{name}@example.com"], body=current_app.name)
    message.attach("note.txt", "text/plain", b"milk")
    mail.send(message)
    return "sent"


@app.route("/all")
def to_all():
    with mail.connect() as connection:
        for name in ("ada", "bob"):
            connection.send(Message("news", recipients=[f"{name}@example.com"], html="<p>news</p>"))
    return "sent"


client = app.test_client()
with mail.record_messages() as outbox:
    assert client.get("/ada").text == client.get("/all").text == "sent"
assert [message.subject for message in outbox] == ["Grüße, ada", "news", "news"]
assert outbox[0].sender == "The shop <shop@example.com>"
with app.app_context():
    assert "note.txt" in str(outbox[0])
