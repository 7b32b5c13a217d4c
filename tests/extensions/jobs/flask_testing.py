"""Run test cases, which check a template, a flashed message and a redirect in a request context."""

import unittest

import flask
from flask import Flask, flash, jsonify, redirect, request
from flask_testing import TestCase


class Tests(TestCase):
    def create_app(self):
        app = Flask("shop")
        app.secret_key = "key"
        app.testing = True

        @app.route("/")
        def index():
            flash("welcome", "info")
            return flask.render_template_string("{{ name }}", name="ada")

        app.add_url_rule("/json", "json", lambda: jsonify(n=1))
        app.add_url_rule("/move", "move", lambda: redirect("/json"))
        return app

    def test_template(self):
        self.assert200(self.client.get("/"))
        self.assertContext("name", "ada")
        self.assertMessageFlashed("welcome", "info")

    def test_json(self):
        assert self.client.get("/json").json == {"n": 1}

    def test_redirect(self):
        self.assertRedirects(self.client.get("/move"), "/json")

    def test_context(self):
        assert request.path == "/"


result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Tests))
assert result.testsRun == 4
assert result.wasSuccessful()
