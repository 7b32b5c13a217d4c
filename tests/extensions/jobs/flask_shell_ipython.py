"""Run the command `shell` with a stand-in for IPython."""

import flask_shell_ipython
import IPython
from flask import Flask

app = Flask("shop")
app.cli.add_command(flask_shell_ipython.shell, "shell")
started = []
IPython.start_ipython = lambda **options: started.append(options)
ran = app.test_cli_runner().invoke(args=["shell"], catch_exceptions=False)
assert ran.exit_code == 0
assert started[0]["user_ns"]["app"] is app
assert "App: shop [production]" in started[0]["config"].TerminalInteractiveShell.banner1
