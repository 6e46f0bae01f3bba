"""Broken builds: each takes one precaution away, and names the test that must then fail.

`python -m tests.mutants` makes a copy of the checkout for each, breaks it and runs the test (all of them, or those
whose test's name holds one of the words given). A test that still passes proves nothing: the run ends with 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 240.0
SOAK_PATIENCE = 1800.0


@dataclass(frozen=True)
class Mutant:
    """One broken build."""

    test: str
    """As pytest selects it, below tests, or below tests/processes where no folder is named."""
    file: str
    """Below taskkitx."""
    good: str
    bad: str
    soak: bool = False
    """Only the test in its full length is sure to meet it."""


MUTANTS = [
    Mutant(
        "test_soak.py::test_stopping_at_any_moment",
        "supervisor/fork.py",
        "    with signals.blocked():\n        pid = os.fork()",
        "    if True:\n        pid = os.fork()",
        soak=True,
    ),
    Mutant(
        "test_stop.py::test_a_signal_that_comes_after",
        "supervisor/signals.py",
        "if for_good and number",
        "if False and number",
    ),
    Mutant(
        "test_stop.py::test_a_stop_while_the_store_is_away",
        "supervisor/stop.py",
        "if not self.keeping.unsettled or now >= self.grace_at:",
        "if not self.keeping.unsettled:",
    ),
    Mutant(
        "test_stop.py::test_a_stopped_log_reader",
        "journal.py",
        "os.O_WRONLY | os.O_NONBLOCK",
        "os.O_WRONLY",
    ),
    Mutant(
        "test_crash.py::test_the_guilty_task_is_charged_alone",
        "supervisor/crash.py",
        "        faulthandler.enable(self._descriptor, all_threads=True)\n",
        "",
    ),
    Mutant(
        "test_crash.py::test_the_guilty_task_is_charged_alone",
        "supervisor/child.py",
        "    _stamp_exits(post.region)\n",
        "",
    ),
    Mutant(
        "test_crash.py::test_a_crash_in_a_process_the_task_forked",
        "supervisor/child.py",
        "    os.register_at_fork(after_in_child=_become_a_stranger)\n",
        "",
    ),
    Mutant(
        "test_guilt.py::test_the_guilty_fails_after_its_crashes",
        "supervisor/verdict.py",
        "    return Verdict(suspects={task.task_id: Lost(cause, tail) for task in others})",
        "    return Verdict(charged={task.task_id: Lost(cause, tail) for task in others})",
    ),
    Mutant(
        "test_guilt.py::test_the_guilty_fails_after_its_crashes",
        "supervisor/verdict.py",
        "    guilty = _proven(death, others, alone=len(running) == 1, crash_text=crash_text)",
        "    guilty = None",
    ),
    Mutant(
        "test_guilt.py::test_a_guilty_task_kills_its_neighbours_once",
        "supervisor/verdict.py",
        "    if alone and (death.signal != signal.SIGKILL or death.solo):",
        "    if alone and death.signal != signal.SIGKILL:",
    ),
    Mutant(
        "test_guilt.py::test_what_python_can_catch",
        "worker/attempt.py",
        "BaseException as error:  # noqa: BLE001  # whatever a handler raises is its task's failure, not ours",
        "Exception as error:",
    ),
    Mutant(
        "unit/test_runner.py::test_a_fault_of_the_engine",
        "worker/running.py",
        "except BaseException as error:  # noqa: BLE001  # ours",
        "except ZeroDivisionError as error:  # noqa: BLE001  # ours",
    ),
    Mutant(
        "test_guilt.py::test_a_task_that_must_run_at_most_once",
        "supervisor/burial.py",
        "dead.verdict.suspects | dead.verdict.told",
        "dead.verdict.suspects",
    ),
    Mutant(
        "test_guilt.py::test_a_handler_is_asked_before",
        "supervisor/burial.py",
        "dead.verdict.suspects | dead.verdict.told",
        "dead.verdict.suspects",
    ),
    Mutant(
        "test_kill_points.py::test_what_ran_at_most_once",
        "worker/running.py",
        "        if not limits.at_most_once:\n            self._slots.done(thread)",
        "        self._slots.done(thread)",
    ),
    Mutant(
        "test_guilt.py::test_a_handler_that_swallows_everything",
        "worker/running.py",
        "            elif interruption.abandon(limit.attempt):",
        "            elif False:",
    ),
    Mutant(
        "test_guilt.py::test_a_handler_that_holds_the_interpreter",
        "supervisor/leases.py",
        "for r in self._table.alive() if r.registered}",
        "for r in self._table.alive() if r.registered and clock.monotonic() - r.beat < 1.5}",
    ),
    Mutant(
        "test_guilt.py::test_memory_that_leaks",
        "supervisor/child.py",
        "        if max_rss := post.settings.max_rss:",
        "        if max_rss := 0:",
    ),
    Mutant(
        "test_guilt.py::test_a_task_that_needs_far_more",
        "supervisor/children.py",
        "deliberate=killed and not self.hung and not self.too_large",
        "deliberate=killed and not self.hung",
    ),
    Mutant(
        "test_kill_points.py::test_replies_that_are_lost",
        "worker/chores.py",
        "        if unknown:\n",
        "        if False:\n",
    ),
    Mutant(
        "test_kill_points.py::test_death_at_any_moment",
        "backends/sql/sqlite_cycle.py",
        "attempt = attempt + (source.state = 5)",
        "attempt = 1",
    ),
    Mutant(
        "test_crash.py::test_a_killed_keeper_is_replaced_and_told_again",
        "supervisor/keeping.py",
        "        for index, death in self._deaths.items():",
        "        for index, death in {}.items():",
    ),
    Mutant(
        "test_crash.py::test_a_frozen_keeper",
        "supervisor/keeping.py",
        "self.silence(now) > self.patience",
        "False",
    ),
    Mutant(
        "test_crash.py::test_a_lost_lease",
        "supervisor/crew.py",
        '                worker.drain("its lease was lost")',
        "                pass",
    ),
    Mutant(
        "test_soak.py::test_a_whole_tree_that_was_stopped",
        "backends/sql/sqlite_cycle.py",
        "WHERE t.attempt = v.column2 AND t.worker_id = ?2 AND t.state = 5",
        "WHERE t.state = 5",
    ),
    Mutant(
        "test_faults.py::test_what_a_lost_host_ran",
        "worker/duties.py",
        "        for worker_id in expired:\n",
        "        for worker_id in ():\n",
    ),
    Mutant(
        "test_faults.py::test_a_host_that_lost_everything",
        "backends/sql/sqlite_leases.py",
        "        return not process.is_alive(worker.pid, worker.pid_started)",
        "        return False",
    ),
    Mutant(
        "test_faults.py::test_workers_whose_lease_is_not_renewed",
        "worker/running.py",
        "return clock.boottime() - self._slots.lease_renewed() > self._max_lease_age",
        "return False",
    ),
    Mutant(
        "test_faults.py::test_keepers_that_are_killed",
        "supervisor/keeping.py",
        "        if keeper.state is ChildState.BOOTING:\n            self.backoff.failed",
        "        if True:\n            self.backoff.deaths += 6\n            self.backoff.failed",
    ),
    Mutant(
        "test_faults.py::test_one_task_does_not_wake_everybody",
        "supervisor/hints.py",
        "            found = self._ring_next()\n        if found:",
        "            found = self._ring_next()\n            self.ring_all()\n        if found:",
    ),
    Mutant(
        "test_faults.py::test_what_tasks_leave_open",
        "supervisor/recycle.py",
        "    if settings.max_tasks and service.finished",
        "    if False and service.finished",
    ),
    Mutant(
        "test_faults.py::test_a_disk_that_is_full",
        "worker/worker.py",
        "        except StoreUnavailable as error:\n            self._health.failed",
        "        except ZeroDivisionError as error:\n            self._health.failed",
    ),
    Mutant(
        "test_roll.py::test_reloads_under_load",
        "supervisor/roll.py",
        "            self._new = new\n",
        "            self._new = new\n            self._old.drain(self._why)\n"
        "            log.worker_drains(role='worker', pid=self._old.pid, reason=self._why)\n",
    ),
    Mutant(
        "test_roll.py::test_a_reload_with_broken_code",
        "supervisor/supervisor.py",
        '            self.replacements.failed(worker, f"the new worker {death.how}")',
        "            pass",
    ),
    Mutant(
        "test_roll.py::test_after_fifty_reloads",
        "supervisor/children.py",
        "        self.private.remove(channel)\n        channel.close()",
        "        pass",
    ),
    Mutant(
        "test_roll.py::test_orphans_of_a_worker",
        "supervisor/supervisor.py",
        "        if self.plan.owns_process:\n            fork.reap_orphans",
        "        if False:\n            fork.reap_orphans",
    ),
    Mutant(
        "test_hang.py::test_a_tree_that_was_stopped_as_a_whole",
        "supervisor/supervisor.py",
        "        if gap > min(_GAP, max(1.5 * _TICK, self.keeping.patience / 2)):",
        "        if False:",
    ),
    Mutant(
        "test_hang.py::test_a_condemned_process",
        "supervisor/verdict.py",
        "    if death.deliberate or len(overdue) == len(running):\n        return Verdict(charged=overdue)",
        "    if death.deliberate or len(overdue) == len(running):\n        return Verdict()",
    ),
    Mutant(
        "test_service_manager.py::test_a_frozen_keeper_stops",
        "supervisor/report.py",
        "        return self.keeping.silence(now) < silence and any(",
        "        return any(",
    ),
    Mutant(
        "test_service_manager.py::test_workers_that_all_hang",
        "supervisor/report.py",
        "worker.waiting or now - worker.region.beat < silence",
        "True",
    ),
    Mutant(
        "test_boot.py::test_after_a_healthy_start",
        "supervisor/supervisor.py",
        "            if not self.crew.healthy and not outside:",
        "            if not outside:",
    ),
    Mutant(
        "test_boot.py::test_a_worker_stuck_in_boot",
        "supervisor/crew.py",
        "            deadline=now + self.settings.boot_timeout,",
        "            deadline=NEVER,",
    ),
    Mutant(
        "test_surroundings.py::test_a_system_without_processes_left",
        "supervisor/crew.py",
        "        except OSError as error:\n            region.state = RegionState.FREE",
        "        except ZeroDivisionError as error:\n            region.state = RegionState.FREE",
    ),
    Mutant(
        "test_surroundings.py::test_a_thread_that_never_ends",
        "supervisor/fork.py",
        "        real_exit(code)\n",
        "        sys.exit(code)\n",
    ),
    Mutant(
        "test_surroundings.py::test_a_handler_the_application_replaced",
        "supervisor/child.py",
        "        if self._stop is not None and now - self._obeyed >= 1.0:",
        "        if False:",
    ),
    Mutant(
        "test_kit.py::test_starting_again_and_again",
        "journal.py",
        "            if self.close is not None:\n                self.close()\n",
        "",
    ),
    Mutant(
        "unit/test_duties.py::test_who_could_not_renew",
        "worker/duties.py",
        "        if now < forgiven_until:",
        "        if False:",
    ),
    Mutant(
        "unit/test_duties.py::test_what_a_worker_had_claimed",
        "supervisor/burial.py",
        "            if 0 < at <= now:",
        "            if False:",
    ),
    Mutant(
        "unit/test_duties.py::test_the_sweep_knows",
        "worker/duties.py",
        "None if is_buried(worker_id) else HOST_GONE",
        "HOST_GONE",
    ),
    Mutant(
        "sql/test_sqlite_turns.py::test_who_came_first",
        "backends/sql/connections.py",
        "        with self._turnstile.queue():",
        "        if True:",
    ),
    Mutant(
        "conformance/test_conformance_sqlite.py::test_a_stale_result",
        "backends/sql/sqlite_cycle.py",
        "WHERE t.attempt = v.column2 AND t.worker_id",
        "WHERE t.worker_id",
    ),
    Mutant(
        "faults/test_garbled_reply.py::test_an_answer_out_of_step",
        "backends/sql/mysql_errors.py",
        'type(error).__name__ == "InternalError"',
        "False",
    ),
    Mutant(
        "test_stop.py::test_a_stop_during_boot",
        "supervisor/child.py",
        "            signal.SIGTERM: signal.SIG_DFL,",
        "            signal.SIGTERM: _leave_at_once,",
    ),
]


def survives(mutant: Mutant) -> bool:
    """Whether the test passes on the broken build."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("taskkitx", "tests"):
            shutil.copytree(
                ROOT / name,
                copy / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        shutil.copy(ROOT / "pyproject.toml", copy)
        broken = copy / "taskkitx" / mutant.file
        text = broken.read_text()
        if text.count(mutant.good) != 1:
            raise SystemExit(f"{mutant.file} does not hold exactly once:\n{mutant.good}")
        broken.write_text(text.replace(mutant.good, mutant.bad))
        file, _, test = mutant.test.partition("::")
        file = file if "/" in file else f"processes/{file}"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            f"tests/{file}",
            "-k",
            test,
        ]
        paths = [folder, *(path for path in sys.path if path and Path(path) != ROOT)]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        if mutant.soak:
            environ["TASKKITX_SOAK"] = "1"
        ran = subprocess.run(
            [*command, "--timeout", str(SOAK_PATIENCE if mutant.soak else PATIENCE)],
            cwd=copy,
            env=environ,
            capture_output=True,
            text=True,
        )
        if ran.returncode not in (0, 1):
            raise SystemExit(f"{mutant.test}: {ran.stdout}{ran.stderr}")
        return ran.returncode == 0


def main(words: list[str]) -> int:
    """Returns the exit code."""
    survivors = []
    for mutant in MUTANTS:
        if words and not any(word in mutant.test for word in words):
            continue
        alive = survives(mutant)
        survivors += [mutant] * alive
        print("SURVIVES" if alive else "killed  ", mutant.test, "with", mutant.file, flush=True)
    print(f"{len(survivors)} broken builds pass their test")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
