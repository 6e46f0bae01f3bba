"""Size is a symptom: a file over 300 lines must be split; a function over 40 is made smaller, or listed here with its
reason; an entry that is no longer needed fails, too. Tests are lists by nature and do not count.
"""

from tests.house.sources import ROOT, functions, python_files

MAX_FILE = 300
MAX_FUNCTION = 40

LONG_FUNCTIONS = {
    "taskkitx/backends/sql/schema.py:_task": "one line per column",
    "taskkitx/backends/sql/schema.py:tables": "one line per column",
    "taskkitx/backends/sql/rows.py:to_task": "one line per column",
    "taskkitx/supervisor/crew.py:spawn": "a fork and its bookkeeping, in the order that keeps them true together",
    "taskkitx/worker/worker.py:__init__": "where the worker's parts are put together",
}


def shipped():
    return [path for path in python_files() if path.parts[0] != "tests"]


def test_files_are_short():
    sizes = {str(path): len((ROOT / path).read_text().splitlines()) for path in shipped()}
    assert {path: size for path, size in sizes.items() if size > MAX_FILE} == {}


def test_functions_are_short_or_have_a_reason():
    sizes = {
        f"{path}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in shipped()
        for function in functions(path)
    }
    too_long = {where: size for where, size in sizes.items() if size > MAX_FUNCTION}
    assert too_long.keys() == LONG_FUNCTIONS.keys(), too_long
