"""Run tasks that read the application and the request, after the functions that run before the first request."""

from celery import shared_task
from flask import Flask, current_app, g, request
from flask_celeryext import FlaskCeleryExt, RequestContextTask

app = Flask("shop")
app.config.update(CELERY_BROKER_URL="memory://", CELERY_TASK_ALWAYS_EAGER=True)
ran = []


@app.before_first_request
def first():
    ran.append("first")


@app.before_request
def before():
    g.price = 5


celery = FlaskCeleryExt(app).celery


@celery.task
def name(number):
    return f"{current_app.name} {number}"


@shared_task(base=RequestContextTask)
def price():
    return f"{request.path} {g.price}"


@app.route("/")
def index():
    return name.delay(3).get()


assert name.delay(1).get() == "shop 1"
assert price.delay().get() == "/ 5"
assert ran == ["first"]
assert app.test_client().get("/").text == "shop 3"
assert ran == ["first"]
