"""Answer with JSON and with a page, parse JSON and a form, and raise an error."""

from flask import request
from flask_api import FlaskAPI, exceptions, status

app = FlaskAPI("shop")


@app.route("/notes", methods=["GET", "POST"])
def notes():
    if request.method == "POST":
        return {"text": request.data["text"]}, status.HTTP_201_CREATED
    return {"notes": 1}


@app.route("/fail")
def fail():
    raise exceptions.NotFound()


client = app.test_client()
assert client.get("/notes").json == {"notes": 1}
assert client.post("/notes", json={"text": "milk"}).json == {"text": "milk"}
assert client.post("/notes", data={"text": "tea"}).json == {"text": "tea"}
assert client.post("/notes", data="x", content_type="text/x").status_code == 415
assert "<html" in client.get("/notes", headers={"Accept": "text/html"}).text
assert client.get("/fail").status_code == 404
