"""Build a menu from views of the application and of a blueprint, and find its active entry."""

import flask
from flask import Flask
from flask_menu import Menu, current_menu, register_menu

app = Flask("shop")
Menu(app)
blueprint = flask.Blueprint("drinks", "drinks")


@app.route("/")
@register_menu(app, ".", "Home")
def index():
    return flask.render_template_string("{% for entry in current_menu.children %}{{ entry.text }} {% endfor %}")


@app.route("/notes")
@register_menu(app, ".notes", "Notes", order=1)
def notes():
    return f"{current_menu.submenu('notes').active} {current_menu.submenu('tea').active}"


@blueprint.route("/tea")
@register_menu(blueprint, ".tea", "Tea", order=2)
def tea():
    return current_menu.submenu("tea").url


app.register_blueprint(blueprint)
client = app.test_client()
assert client.get("/").text == "Notes Tea "
assert client.get("/notes").text == "True False"
assert client.get("/tea").text == "/tea"
