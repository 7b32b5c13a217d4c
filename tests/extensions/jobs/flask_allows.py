"""Refuse a request whose identity does not meet the requirement of a view."""

from flask import Flask, request
from flask_allows import Allows, Requirement

app = Flask("shop")
allows = Allows(app, identity_loader=lambda: request.args.get("user"))


class IsAda(Requirement):
    def fulfill(self, identity, request):
        return identity == "ada"


@app.route("/edit")
@allows.requires(IsAda())
def edit():
    return "edited"


client = app.test_client()
assert client.get("/edit?user=ada").text == "edited"
assert client.get("/edit?user=bob").status_code == 403
assert client.get("/edit").status_code == 403
