"""Headers for security, a redirect to HTTPS, a nonce in a template, and other options for one view."""

import flask
from flask import Flask
from flask_talisman import Talisman

app = Flask("shop")
app.secret_key = "key"
policy = {"default-src": "'self'", "script-src": "'self'"}
talisman = Talisman(app, content_security_policy=policy, content_security_policy_nonce_in=["script-src"])


@app.route("/")
def index():
    return flask.render_template_string("{{ csp_nonce() }}")


@app.route("/framed")
@talisman(frame_options="ALLOW-FROM", frame_options_allow_from="https://example.com")
def framed():
    return "framed"


client = app.test_client()
redirected = client.get("/")
assert redirected.status_code == 302
assert redirected.headers["Location"] == "https://localhost/"
answers = [client.get("/", base_url="https://localhost") for _ in range(2)]
for answer in answers:
    assert f"'nonce-{answer.text}'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "max-age" in answer.headers["Strict-Transport-Security"]
assert answers[0].text != answers[1].text
other = client.get("/framed", base_url="https://localhost")
assert other.headers["X-Frame-Options"] == "ALLOW-FROM https://example.com"
