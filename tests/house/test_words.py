"""One word per concept, and names that hide nothing: neither a standard library module nor what a module is for."""

import ast
import re
import sys

import pytest

from tests.house.sources import functions, parse, project_files, python_files


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# CONTRIBUTING's vocabulary has another word for each of these concepts.
NEVER = words(
    "job jobs broker brokers actor actors consumer consumers executor executors master arbiter"
)
# As the whole name of a thing they would be a concept of ours; as a part of one they are plain English.
NEVER_ALONE = frozenset({"message", "messages", "node"})
SAYS_NOTHING = words("util utils helper helpers common misc shared tools")


def words_of(identifier):
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return [word for word in spaced.lower().split("_") if word]


def offends(identifier):
    parts = words_of(identifier)
    return bool(NEVER & set(parts)) or (len(parts) == 1 and parts[0] in NEVER_ALONE)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("get_job", True),
        ("JobQueue", True),
        ("jobless", False),
        ("Message", True),
        ("error_message", False),
        ("claim", False),
    ],
)
def test_the_rule_itself(identifier, expected):
    assert offends(identifier) is expected


def test_names_are_in_the_vocabulary():
    offenders = []
    for path in python_files():
        named = [path.stem]
        named += [node.name for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)]
        for function in functions(path):
            arguments = function.args
            named.append(function.name)
            named += [
                argument.arg
                for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs
                if words_of(argument.arg) not in (["message"], ["node"])
            ]
        offenders += [f"{path}: {name}" for name in named if offends(name)]
    assert not offenders


def test_no_module_is_a_drawer_for_odds_and_ends():
    names = {part for path in python_files() for part in (*path.parts[:-1], path.stem)}
    assert not names & SAYS_NOTHING


def test_no_module_hides_one_of_the_standard_library():
    # Given every module that a folder on sys.path would offer by its bare name: what lies at the top, directly in the
    # package, or beside a test
    bare = {path.parts[0].removesuffix(".py") for path in python_files()}
    bare |= {
        path.parts[1].removesuffix(".py") for path in python_files() if path.parts[0] == "taskkitx"
    }
    bare |= {
        part for path in project_files() if path.parts[0] == "tests" for part in path.parts[1:-1]
    }
    bare |= {path.stem for path in python_files() if path.parts[0] == "tests"}

    # Then none of them would be imported instead of the real one
    assert not bare & (sys.stdlib_module_names | {"django", "sqlalchemy", "redis", "pymysql"})


def test_no_exception_is_swallowed():
    offenders = [
        f"{path}:{node.lineno}"
        for path in python_files()
        if path.parts[0] == "taskkitx"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node) and does_nothing(node)
    ]
    assert not offenders


def catches_everything(handler):
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in caught
    )


def does_nothing(handler):
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in handler.body
    )
