"""The reply to a write is lost after its commit: whoever asked asks again, and it is as if it had not been lost."""

import pytest

from taskkitx.errors import StoreUnavailable
from taskkitx.outcome import Failed, Fault, Retried, Succeeded
from taskkitx.record import Lost, WorkerRecord
from taskkitx.task import Task, TaskState

W = "wk_lost_replies"


def new_tasks(count=3):
    return [Task.init("g", "n", b"data") for _ in range(count)]


@pytest.fixture
def claims(backend):
    backend.register(WorkerRecord(W), ttl=30.0)
    backend.put(new_tasks())
    return backend.claim(W, {"g": 3})


def test_put(backend, proxy):
    tasks = new_tasks()
    proxy.lose_reply_to(tasks[0].id.encode())

    answers = backend.put(tasks)

    proxy.wait_lost()
    assert answers == [(task.id, True) for task in tasks]
    assert [task.id for task in backend.claim(W, {"g": 9})] == [task.id for task in tasks]


def test_put_of_one_with_a_unique_key(backend, proxy):
    task = Task.init("g", "n", b"data", unique_key="only one")
    proxy.lose_reply_to(task.id.encode())

    answers = backend.put([task])

    proxy.wait_lost()
    assert answers == [(task.id, True)]


def test_claim(backend, proxy):
    """Seen to leave the tasks to the reconcile when the replay does not look for its own claim first."""
    tasks = new_tasks()
    backend.put(tasks)
    proxy.lose_reply_to(W.encode())

    claims = backend.claim(W, {"g": 9})

    proxy.wait_lost()
    assert [(task.id, task.attempt) for task in claims] == [(task.id, 1) for task in tasks]


def test_finish(backend, proxy, claims):
    proxy.lose_reply_to(claims[0].id.encode())

    accepted = backend.finish(W, [Succeeded(task, b"1") for task in claims])

    proxy.wait_lost()
    assert set(accepted) == {task.id for task in claims}
    assert {r.state for r in backend.get_many(accepted).values()} == {TaskState.SUCCEEDED}


def test_finish_and_claim(backend, proxy, claims):
    more = new_tasks()
    backend.put(more)
    proxy.lose_reply_to(claims[0].id.encode())

    exchanged = backend.exchange(W, [Succeeded(task, b"1") for task in claims], {"g": 9})

    proxy.wait_lost()
    assert set(exchanged.accepted) == {task.id for task in claims}
    assert [task.id for task in exchanged.claims] == [task.id for task in more]


@pytest.mark.parametrize("ending", [Failed, lambda task, fault: Retried(task, 0.0, fault)])
def test_finish_with_history(backend, proxy, claims, ending):
    follower = Task.init("g", "after", b"")
    fault = Fault("E", "message")
    outcomes = [ending(claims[0], fault), Succeeded(claims[1], b"1", then=(follower,))]
    proxy.lose_reply_to(b"COMMIT")

    accepted = backend.finish(W, outcomes)

    proxy.wait_lost()
    assert set(accepted) == {claims[0].id, claims[1].id}
    assert len(backend.attempts(claims[0].id)) == 1
    assert backend.get_many([follower.id]).keys() == {follower.id}


def test_renew(backend, proxy, claims):
    proxy.lose_reply_to(W.encode())

    known = backend.renew({W: {}, "wk_unknown": {}}, ttl=60.0)

    proxy.wait_lost()
    assert set(known) == {W}
    assert backend.workers()[0].lease_left > 30.0


def test_restore(backend, proxy, claims):
    proxy.lose_reply_to(b"COMMIT")

    restored = backend.restore(W, charged={claims[0].id: Lost("signal 11")})

    proxy.wait_lost()
    assert restored == 0  # by this call, as far as it knows; there is nothing left to do
    records = backend.get_many([task.id for task in claims])
    assert records[claims[0].id].task.crashes == 1
    assert len(backend.attempts(claims[0].id)) == 1
    assert all(record.task.worker_id is None for record in records.values())


def test_release(backend, proxy, claims):
    proxy.lose_reply_to(b"COMMIT")

    backend.release(W, claims)

    proxy.wait_lost()
    assert [task.id for task in backend.claim(W, {"g": 9})] == [task.id for task in claims]


def test_what_is_told_when_the_server_is_gone_right_after(backend, open_backend, proxy, direct_url):
    """The caller does not know; asking again later gives one task."""
    task = new_tasks(1)[0]
    proxy.lose_reply_to(task.id.encode())
    proxy.refuse_after_loss = True

    with pytest.raises(StoreUnavailable, match="does not answer"):
        backend.put([task])
    proxy.accept_again()

    assert open_backend(direct_url).get_many([task.id]).keys() == {task.id}
    assert backend.put([task]) == [(task.id, False)]
