"""The exception tree: one base, honest branches, nothing that cannot travel."""

import inspect
import pickle

import pytest

from taskkitx import errors
from taskkitx.task import Task

EVERY = [
    error
    for error in vars(errors).values()
    if inspect.isclass(error) and issubclass(error, BaseException)
]


@pytest.mark.parametrize("error", EVERY)
def test_everything_has_the_one_base(error):
    assert issubclass(error, errors.TaskkitxError)


@pytest.mark.parametrize("error", EVERY)
def test_the_tree_in_the_docstring_is_the_tree(error):
    assert errors.__doc__ is not None
    drawn = [line.strip("│├└─ ").split(" ")[0] for line in errors.__doc__.splitlines()]
    depths = [len(line) - len(line.lstrip("│├└─ ")) for line in errors.__doc__.splitlines()]

    place = drawn.index(error.__name__)
    parents = [i for i in range(place) if depths[i] < depths[place] and drawn[i]]
    parent = drawn[parents[-1]] if depths[place] else "Exception"

    assert error.__bases__[0].__name__ == parent


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.NoResult, LookupError),
        (errors.NotFound, LookupError),
        (errors.ResultGetTimedOut, TimeoutError),
    ],
)
def test_what_the_standard_library_has_a_word_for(error, builtin):
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", EVERY)
def test_errors_travel_between_processes(error):
    samples: dict[object, tuple[object, ...]] = {errors.DuplicateTask: ("g_1", "key")}
    for failed in EVERY:
        if issubclass(failed, errors.Failed):
            samples[failed] = (Task.init("g", "n", b""), "message")
    arguments = samples.get(error, ("message",))

    raised = error(*arguments)
    arrived = pickle.loads(pickle.dumps(raised))

    assert type(arrived) is error
    assert (str(arrived), vars(arrived)) == (str(raised), vars(raised))


def test_a_failure_names_task_and_reason():
    task = Task.init("g", "n", b"")

    failed = errors.TaskExpired(task, "too late")

    assert (failed.task, failed.message, str(failed)) == (task, "too late", "too late")
    assert isinstance(failed, errors.Failed)


def test_a_duplicate_names_the_task_that_stands():
    duplicate = errors.DuplicateTask("g_1", "key")

    assert (duplicate.task_id, duplicate.key) == ("g_1", "key")
    assert str(duplicate) == "task g_1 already stands for the unique key 'key'"
