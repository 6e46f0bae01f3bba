"""A plan that cannot be carried out is refused, and the refusal names the value."""

import pytest

from taskkitx.errors import ConfigurationError
from taskkitx.supervisor.plan import Plan, describe_groups


@pytest.mark.parametrize(
    ("processes", "groups", "named"),
    [
        (0, {"default": 8}, "number of processes is 0"),
        (-1, {"default": 8}, "number of processes is -1"),
        (1.5, {"default": 8}, "number of processes is 1.5"),
        (True, {"default": 8}, "number of processes is True"),
        (1000, {"default": 8}, "at most 128"),
        (1, {}, "no group"),
        (1, {"mail": 0}, "'mail' is 0"),
        (1, {"mail": -2}, "'mail' is -2"),
        (1, {"mail": "8"}, "'mail' is '8'"),
        (1, {"": 1}, "group is a non-empty string"),
        (1, {"g" * 41: 1}, "at most 40 characters"),
        (1, {"a": 1000, "b": 25}, "1025 threads"),
    ],
)
def test_what_cannot_run_is_refused_by_name(processes, groups, named):
    with pytest.raises(ConfigurationError, match=named):
        Plan(processes=processes, groups=groups)


@pytest.mark.parametrize("instance", ["a/b", "a\nb"])
def test_an_instance_name_must_be_fit_for_a_file(instance):
    with pytest.raises(ConfigurationError, match="instance name"):
        Plan(processes=1, groups={"default": 1}, instance=instance)


@pytest.mark.parametrize("processes", [1, 2, 10, 128])
def test_every_worker_its_replacement_and_the_solo_lane_have_a_place(processes):
    plan = Plan(processes=processes, groups={"default": 1})

    assert plan.regions >= 2 * (processes + 1)
    assert processes < plan.max_processes < plan.regions


def test_groups_are_described_as_they_are_typed():
    assert describe_groups({"default": 8, "mail": 2}) == "default=8 mail=2"
