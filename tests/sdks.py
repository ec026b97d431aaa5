"""The vendors' SDKs, imported when a test first asks them for something.

Importing one costs seconds of CPU, every worker collects every file, and of all workers
one or two need it. `from sdks import openai` and go on as after `import openai`; what is
written at a module's top (base classes, tables of exceptions) asks too early.
"""

from importlib import import_module
from typing import Any


class Library:
    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # who collects tests looks for marks of its own
            raise AttributeError(name)
        found = getattr(import_module(self.__name__), name, None)
        if found is None:  # a module of it that nobody has imported yet
            found = import_module(f"{self.__name__}.{name}")
        setattr(self, name, found)
        return found


anthropic = Library("anthropic")
openai = Library("openai")
genai = Library("google.genai")
