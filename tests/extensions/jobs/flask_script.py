"""Run commands with arguments and options in an application context."""

import inspect

from flask import Flask, current_app, request

if not hasattr(inspect, "getargspec"):
    # Python 3.11 removed the function that the extension uses.
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]

from flask_script import Command, Manager, Option

app = Flask("shop")
manager = Manager(app, with_default_commands=False)
called = []


@manager.command
def hello(name, loud=False):
    called.append((current_app.name, name, loud))


@manager.option("-n", "--number", type=int, default=1)
def count(number):
    with current_app.test_request_context("/count"):
        called.append((number, request.path))


class Buy(Command):
    option_list = (Option("--what", dest="what"),)

    def run(self, what):
        called.append(what)


manager.add_command("buy", Buy())
manager.handle("manage.py", ["hello", "ada", "-l"])
manager.handle("manage.py", ["count", "-n", "3"])
manager.handle("manage.py", ["buy", "--what", "milk"])
assert called == [("shop", "ada", True), (3, "/count"), "milk"]
