"""Hash a password and check it in a request."""

from flask import Flask, request
from flask_bcrypt import Bcrypt

app = Flask("shop")
app.config["BCRYPT_LOG_ROUNDS"] = 4
bcrypt = Bcrypt(app)
password = bcrypt.generate_password_hash("secret")


@app.route("/", methods=["POST"])
def log_in():
    return str(bcrypt.check_password_hash(password, request.form["password"]))


client = app.test_client()
assert client.post("/", data={"password": "secret"}).text == "True"
assert client.post("/", data={"password": "other"}).text == "False"
