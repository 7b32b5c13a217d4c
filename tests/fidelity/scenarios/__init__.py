"""Hand-written programs, each of which traces one behaviour. Importing the package registers all of them."""

import importlib
import pkgutil

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
