"""The last instants of very many are found without walking through them all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from taskkitx.missed import newest

instants = st.lists(st.integers(0, 10**7).map(lambda n: n / 2), max_size=60, unique=True).map(
    sorted
)
bursts = st.tuples(st.integers(0, 10**6), st.integers(1, 400), st.sampled_from([0.1, 1, 60])).map(
    lambda burst: [burst[0] + n * burst[2] for n in range(burst[1])]
)


def following(points):
    return lambda instant: next((point for point in points if point > instant), None)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    several=st.lists(instants | bursts, max_size=4),
    since=st.integers(-10, 10**6),
    width=st.integers(0, 5 * 10**6),
    limit=st.integers(1, 20),
)
def test_the_last_ones_are_the_last_ones(several, since, width, limit):
    points = sorted({point for part in several for point in part})

    found = newest(following(points), since, since + width, limit)

    assert found == [point for point in points if since < point <= since + width][-limit:]


def test_a_month_of_seconds_costs_little_more_than_what_is_wanted():
    asked = []

    def every_second(instant):
        asked.append(instant)
        return instant // 1 + 1

    assert newest(every_second, 0.0, 30 * 86400.0, 100) == [
        30 * 86400.0 - n for n in range(99, -1, -1)
    ]
    assert len(asked) < 500
