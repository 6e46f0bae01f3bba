"""The faults the queue is built to stand, and for each the precautions that are taken away to see its tests fail."""

from dataclasses import dataclass


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


FAULTS: dict[str, list[Mutant]] = {
    "a worker killed at random": [
        Mutant(
            "test_soak.py::test_killing_workers_and_keepers and sqlite",
            "supervisor/keeper.py",
            "                self._burial.add(self._table.regions[index], Death(**death))\n"
            '                self._services.hurry("restore")\n',
            "                self._burial.add(self._table.regions[index], Death(**death))\n",
        ),
        Mutant(
            "unit/test_duties.py::test_what_a_worker_had_claimed",
            "supervisor/burial.py",
            "            if 0 < at <= now:",
            "            if False:",
        ),
    ],
    "a worker killed between any two steps": [
        Mutant(
            "test_kill_points.py::test_death_at_any_moment and sqlite",
            "backends/sql/sqlite_cycle.py",
            "attempt = attempt + (source.state = 5)",
            "attempt = 1",
        ),
        Mutant(
            "test_kill_points.py::test_what_ran_at_most_once",
            "worker/running.py",
            "        if not limits.at_most_once:\n            self._slots.done(thread)",
            "        self._slots.done(thread)",
        ),
    ],
    "a keeper killed again and again, or frozen": [
        Mutant(
            "test_faults.py::test_keepers_that_are_killed and sqlite",
            "supervisor/keeping.py",
            "        if keeper.state is ChildState.BOOTING:\n            self.backoff.failed",
            "        if True:\n            self.backoff.deaths += 6\n            self.backoff.failed",
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
    ],
    "a supervisor killed under load": [
        Mutant(
            "test_stop.py::test_killing_the_supervisor_ends_everything",
            "supervisor/fork.py",
            "_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)",
            "pass",
        ),
        Mutant(
            "test_stop.py::test_workers_of_a_killed_supervisor",
            "supervisor/child.py",
            "            signal.alarm(ORPHAN_DRAIN)",
            "            pass",
        ),
        Mutant(
            "test_soak.py::test_after_a_killed_supervisor_nothing_is_claimed and sqlite",
            "supervisor/keeper.py",
            "        return waited > OUTLIVE + LAST_RESTORE or not (self._burial or self._table.alive())",
            "        return True",
        ),
    ],
    "a host lost while another lives": [
        Mutant(
            "test_faults.py::test_what_a_lost_host_ran and sqlite",
            "worker/duties.py",
            "        for worker_id in expired:\n",
            "        for worker_id in ():\n",
        ),
        Mutant(
            "unit/test_duties.py::test_the_sweep_knows",
            "worker/duties.py",
            "None if is_buried(worker_id) else HOST_GONE",
            "HOST_GONE",
        ),
    ],
    "a host lost and started again": [
        Mutant(
            "test_faults.py::test_a_host_that_lost_everything and sqlite",
            "backends/sql/sqlite_leases.py",
            "        return not process.is_alive(worker.pid, worker.pid_started)",
            "        return False",
        ),
    ],
    "a whole tree stopped beyond its lease": [
        Mutant(
            "test_soak.py::test_a_whole_tree_that_was_stopped and sqlite",
            "backends/sql/sqlite_cycle.py",
            "WHERE t.attempt = v.column2 AND t.worker_id = ?2 AND t.state = 5",
            "WHERE t.state = 5",
        ),
        Mutant(
            "test_crash.py::test_a_lost_lease",
            "supervisor/crew.py",
            '                worker.drain("its lease was lost")',
            "                pass",
        ),
        Mutant(
            "conformance/test_conformance_sqlite.py::test_a_stale_result",
            "backends/sql/sqlite_cycle.py",
            "WHERE t.attempt = v.column2 AND t.worker_id",
            "WHERE t.worker_id",
        ),
    ],
    "a keeper stopped beyond the lease": [
        Mutant(
            "test_faults.py::test_workers_whose_lease_is_not_renewed and sqlite",
            "worker/running.py",
            "return clock.boottime() - self._slots.lease_renewed() > self._max_lease_age",
            "return False",
        ),
    ],
    "a reply lost after the commit": [
        Mutant(
            "test_kill_points.py::test_suspects_whose_restoring_was_not_heard_of",
            "supervisor/keeper.py",
            "        self._on_restored()\n        self._channel.send",
            "        if restored:\n            self._on_restored()\n        self._channel.send",
        ),
        Mutant(
            "test_kill_points.py::test_replies_that_are_lost and sqlite",
            "worker/chores.py",
            "        if unknown:\n",
            "        if False:\n",
        ),
    ],
    "a foreign writer on a SQLite file": [
        Mutant(
            "test_sqlite_writers.py::test_four_writers",
            "backends/sql/connections.py",
            "        except BAD_DATA as error:\n            if is_busy(error):",
            "        except BAD_DATA as error:\n            if False:",
        ),
        Mutant(
            "sql/test_sqlite_turns.py::test_who_came_first",
            "backends/sql/connections.py",
            "        with self._turnstile.queue():",
            "        if True:",
        ),
    ],
    "a reader who stays on a SQLite file": [
        Mutant(
            "sql/test_sqlite_log.py::test_a_reader_who_stays",
            "backends/sql/sqlite.py",
            "        if self._log_size() > LOG_ALARM:",
            "        if False:",
        ),
        Mutant(
            "sql/test_sqlite_log.py::test_a_reader_who_stays",
            "backends/sql/sqlite.py",
            "        if size <= LOG_ALARM:",
            "        if True:",
        ),
    ],
    "a full disk": [
        Mutant(
            "test_faults.py::test_a_disk_that_is_full",
            "worker/worker.py",
            "        except Exception as error:  # noqa: BLE001  # what nobody foresaw",
            "        except ZeroDivisionError as error:  # what nobody foresaw",
        ),
    ],
    "a SQLite file that cannot be written": [
        Mutant(
            "test_faults.py::test_a_file_on_a_read_only_file_system",
            "backends/sql/sqlite_file.py",
            "    if not os.access(path if os.path.exists(path) else directory, os.W_OK):",
            "    if False:",
        ),
    ],
    "a wall clock that jumps by an hour": [
        Mutant(
            "sql/test_sqlite_clock.py::test_nobody_is_believed_dead",
            "backends/sql/sqlite_leases.py",
            "    return LeaseClock(clocks.boottime, ",
            "    return LeaseClock(clocks.now, ",
        ),
    ],
    "everything stopped for twice the lease": [
        Mutant(
            "test_hang.py::test_a_tree_that_was_stopped_as_a_whole",
            "supervisor/supervisor.py",
            "        if gap > min(_GAP, max(1.5 * _TICK, self.keeping.patience / 2)):",
            "        if False:",
        ),
        Mutant(
            "unit/test_duties.py::test_who_could_not_renew",
            "worker/duties.py",
            "        if now < forgiven_until:",
            "        if False:",
        ),
    ],
    "a system that forks no more": [
        Mutant(
            "test_surroundings.py::test_a_system_without_processes_left",
            "supervisor/crew.py",
            "        except OSError as error:\n            region.state = RegionState.FREE",
            "        except ZeroDivisionError as error:\n            region.state = RegionState.FREE",
        ),
    ],
    "a stop in the middle of a fork": [
        Mutant(
            "test_soak.py::test_stopping_at_any_moment",
            "supervisor/fork.py",
            "    with signals.blocked():\n        pid = os.fork()",
            "    if True:\n        pid = os.fork()",
            soak=True,
        ),
    ],
    "a stop during boot, during a reload, twice, with the store away, with nobody reading the log": [
        Mutant(
            "test_stop.py::test_a_stop_during_boot",
            "supervisor/child.py",
            "            signal.SIGTERM: signal.SIG_DFL,",
            "            signal.SIGTERM: _leave_at_once,",
        ),
        Mutant(
            "test_roll.py::test_a_stop_in_the_middle_of_a_reload",
            "supervisor/stop.py",
            "        for worker in list(self.crew.workers.values()):",
            "        for worker in self.crew.ready():",
        ),
        Mutant(
            "test_stop.py::test_the_second_signal",
            "supervisor/stop.py",
            "            self._drain_until = min(self._drain_until, now + FAST)",
            "            pass",
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
            "test_stop.py::test_a_signal_that_comes_after",
            "supervisor/signals.py",
            "if for_good and number",
            "if False and number",
        ),
    ],
    "a boot that never ends": [
        Mutant(
            "test_boot.py::test_a_worker_stuck_in_boot",
            "supervisor/crew.py",
            "            deadline=now + self.settings.boot_timeout,",
            "            deadline=NEVER,",
        ),
    ],
    "a boot that always fails": [
        Mutant(
            "test_boot.py::test_a_first_start_that_cannot_work",
            "supervisor/supervisor.py",
            "            if self.crew.healthy or outside:",
            "            if True:",
        ),
        Mutant(
            "test_boot.py::test_after_a_healthy_start",
            "supervisor/supervisor.py",
            "            if self.crew.healthy or outside:",
            "            if outside:",
        ),
    ],
    "a handler that kills its process": [
        Mutant(
            "test_guilt.py::test_the_guilty_fails_after_its_crashes and sqlite",
            "supervisor/verdict.py",
            "    return Verdict(suspects={task.task_id: Lost(cause, tail) for task in others})",
            "    return Verdict(charged={task.task_id: Lost(cause, tail) for task in others})",
        ),
        Mutant(
            "test_guilt.py::test_the_guilty_fails_after_its_crashes and sqlite",
            "supervisor/verdict.py",
            "    guilty = _proven(death, others, alone=len(running) == 1, crash_text=crash_text)",
            "    guilty = None",
        ),
        Mutant(
            "test_guilt.py::test_a_guilty_task_kills_its_neighbours_once and sqlite",
            "supervisor/verdict.py",
            "    if alone and (death.signal != signal.SIGKILL or death.solo):",
            "    if alone and death.signal != signal.SIGKILL:",
        ),
        Mutant(
            "test_crash.py::test_the_guilty_task_is_charged_alone",
            "supervisor/crash.py",
            "        faulthandler.enable(self._descriptor, all_threads=True)\n",
            "",
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
            "test_crash.py::test_a_crash_in_a_process_the_task_forked",
            "supervisor/child.py",
            "    os.register_at_fork(after_in_child=_become_a_stranger)\n",
            "",
        ),
    ],
    "a handler that ends its process, or its thread": [
        Mutant(
            "test_crash.py::test_the_guilty_task_is_charged_alone",
            "supervisor/child.py",
            "    _stamp_exits(post.region)\n",
            "",
        ),
        Mutant(
            "test_guilt.py::test_what_python_can_catch",
            "worker/attempt.py",
            "BaseException as error:  # noqa: BLE001  # whatever a handler raises is its task's failure, not ours",
            "Exception as error:",
        ),
    ],
    "a handler for which there is not enough memory": [
        Mutant(
            "test_guilt.py::test_a_task_for_which_the_kernel and sqlite",
            "supervisor/verdict.py",
            "    if alone and (death.signal != signal.SIGKILL or death.solo)",
            "    if alone and death.signal != signal.SIGKILL",
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
    ],
    "a handler that leaves threads and descriptors open": [
        Mutant(
            "test_faults.py::test_what_tasks_leave_open",
            "supervisor/recycle.py",
            "    if settings.max_tasks and service.finished",
            "    if False and service.finished",
        ),
    ],
    "a handler that holds the interpreter, for a while and for ever": [
        Mutant(
            "test_guilt.py::test_a_handler_that_holds_the_interpreter",
            "supervisor/leases.py",
            "for r in self._table.alive() if r.registered}",
            "for r in self._table.alive() if r.registered and clock.monotonic() - r.beat < 1.5}",
        ),
        Mutant(
            "test_hang.py::test_a_worker_whose_main_thread_is_silent",
            "supervisor/watch.py",
            "    if silence > settings.hang_timeout > 0:",
            "    if False:",
        ),
    ],
    "a handler that never returns and swallows every exception": [
        Mutant(
            "test_guilt.py::test_a_handler_that_swallows_everything",
            "worker/running.py",
            "            elif interruption.abandon(limit.attempt):",
            "            elif False:",
        ),
        Mutant(
            "test_hang.py::test_a_condemned_process",
            "supervisor/verdict.py",
            "    if death.deliberate or len(overdue) == len(running):\n        return Verdict(charged=overdue)",
            "    if death.deliberate or len(overdue) == len(running):\n        return Verdict()",
        ),
    ],
    "a row that nobody can read": [
        Mutant(
            "app/test_app_unreadable.py::test_a_handler_that_reads_its_data",
            "worker/running.py",
            "        if task.unreadable is not None:",
            "        if False:",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_a_text_that_is_no_text",
            "backends/sql/sqlite_session.py",
            '        if "decode to UTF-8" not in str(error):',
            "        if True:",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_an_attempt_that_is_set_back and sqlite",
            "backends/sql/statements.py",
            "ON CONFLICT (task_id, attempt) DO UPDATE SET worker_id = excluded.worker_id, began = excluded.began,\n"
            "  ended = excluded.ended, state = excluded.state, kind = excluded.kind, message = excluded.message,\n"
            "  trace = excluded.trace",
            "",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_a_value_of_another_type and redis",
            "backends/redis/lua/claiming.lua",
            "math.floor(tonumber(flat[i + 1]) or 0)",
            "tonumber(flat[i + 1])",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_a_value_of_another_type and redis",
            "backends/redis/lua/rows.lua",
            "      row[field] = '0' -- somebody else has written there",
            "",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_headers",
            "backends/sql/rows.py",
            '    except (ValueError, TypeError) as error:\n        state["unreadable"] = str(error)',
            '    except ZeroDivisionError as error:\n        state["unreadable"] = str(error)',
        ),
        Mutant(
            "app/test_app_unreadable.py::test_headers and redis",
            "backends/redis/fields.py",
            "    except (KeyError, ValueError) as error:",
            "    except ZeroDivisionError as error:",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_a_value_of_another_type and sqlite",
            "backends/sql/cycle.py",
            "    except TypeError:",
            "    except ZeroDivisionError:",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_a_value_of_another_type and sqlite",
            "backends/sql/rows.py",
            "        _replace_what_is_of_another_type(state)\n    return task",
            "        pass\n    return task",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_an_id_that_names_no_group",
            "worker/claiming.py",
            "return group if group in self._groups else next(iter(self._groups))",
            "return group",
        ),
        Mutant(
            "app/test_app_unreadable.py::test_data",
            "app/handler.py",
            "        except (DecodeError, ValueError, TypeError) as error:\n"
            "            raise UnreadableArguments(",
            "        except ZeroDivisionError as error:\n            raise UnreadableArguments(",
        ),
        Mutant(
            "app/test_app_names.py::test_an_unknown_name_is_parked",
            "worker/running.py",
            "            if self._knows is not None and not self._knows(task):",
            "            if False:",
        ),
        Mutant(
            "unit/test_codec.py::test_a_recursion_bomb",
            "codec.py",
            "    if depth > DEEPEST:",
            "    if False:",
        ),
    ],
    "names too long, and ten thousand groups": [
        Mutant(
            "unit/test_ids.py::test_text_over_its_limit",
            "ids.py",
            "0 < len(group) <= MAX_GROUP",
            "0 < len(group)",
        ),
        Mutant(
            "unit/test_ids.py::test_text_over_its_limit",
            "ids.py",
            "0 < len(name) <= MAX_NAME",
            "0 < len(name)",
        ),
        Mutant(
            "plans/test_sqlite_plans.py::test_a_cycle_costs_the_same_however_many_groups",
            "backends/sql/sqlite_schema.sql",
            "taskkitx_task (grp, rank, due, id) WHERE state = 1",
            "taskkitx_task (rank, due, id, grp) WHERE state = 1",
        ),
    ],
    "a result that cannot be written down, or is too large": [
        Mutant(
            "unit/test_runner.py::test_a_result_that_cannot_be_kept",
            "worker/attempt.py",
            '        return Failed(\n            task, Fault(fault.kind, f"its result',
            '        return Retried(\n            task, 0.0, Fault(fault.kind, f"its result',
        ),
        Mutant(
            "unit/test_runner.py::test_a_result_that_cannot_be_kept",
            "worker/attempt.py",
            "    if len(result) > max_result_bytes:",
            "    if False:",
        ),
    ],
    "a schema of another version, and several who make it at once": [
        Mutant(
            "test_boot.py::test_a_store_of_another_version",
            "backends/sql/sqlite_file.py",
            "    elif found > VERSION:",
            "    elif False:",
        ),
        Mutant(
            "test_boot.py::test_a_store_of_another_version",
            "backends/sql/migrate.py",
            "    except util.CommandError as error:",
            "    except ZeroDivisionError as error:",
        ),
        Mutant(
            "conformance/test_first_use.py::test_many_may_be_the_first and sqlite",
            "backends/sql/migrate.py",
            "    if connection.execute(\"SELECT 1 FROM sqlite_master WHERE name = 'taskkitx_version'\").fetchone()",
            "    if False",
        ),
    ],
    "two supervisors of one name": [
        Mutant(
            "test_boot.py::test_a_second_supervisor_of_the_same",
            "supervisor/instance.py",
            "            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "            pass",
        ),
    ],
    "a stale pid file, and a directory that is none": [
        Mutant(
            "test_boot.py::test_a_pid_file_that_lies",
            "supervisor/instance.py",
            '        temporary.replace(self._path("pid"))',
            '        os.link(temporary, self._path("pid"))',
        ),
        Mutant(
            "test_boot.py::test_an_unusable_run_directory",
            "supervisor/instance.py",
            "        except OSError as error:\n"
            "            raise ConfigurationError(\n"
            '                f"cannot use',
            "        except ZeroDivisionError as error:\n"
            "            raise ConfigurationError(\n"
            '                f"cannot use',
        ),
    ],
    "several keepers and schedulers that race": [
        Mutant(
            "conformance/test_conformance_sqlite.py::test_one_fires",
            "backends/sql/commands.py",
            "        fired = session.unless_taken(sql.FIRST_STATE, change)",
            "        fired = session.unless_taken(sql.FIRST_STATE, change) or 1",
        ),
        Mutant(
            "conformance/test_conformance_sqlite.py::test_a_dead_workers_tasks_are_restored_once",
            "backends/sql/connections.py",
            '            connection.execute("BEGIN IMMEDIATE")',
            '            connection.execute("BEGIN DEFERRED")',
        ),
        Mutant(
            "conformance/test_conformance_sqlite.py::test_another_state_than_expected",
            "backends/sql/statements.py",
            " WHERE name = :name AND state = :expected",
            " WHERE name = :name AND :expected = :expected",
        ),
        Mutant(
            "conformance/test_conformance_sqlite.py::test_finished_tasks_are_retried_and_purged_once",
            "backends/sql/connections.py",
            '            connection.execute("BEGIN IMMEDIATE")',
            '            connection.execute("BEGIN DEFERRED")',
        ),
    ],
    "one task and many who wait for it": [
        Mutant(
            "test_faults.py::test_one_task_does_not_wake_everybody and sqlite",
            "supervisor/hints.py",
            "            found = self._ring_next()\n        if found:",
            "            found = self._ring_next()\n            self.ring_all()\n        if found:",
        ),
    ],
    "a clock change that skips an hour, and one that repeats it": [
        Mutant(
            "unit/test_clock_changes.py::test_around_clock_changes",
            "localtime.py",
            "        if early <= late:",
            "        if True:",
        ),
        Mutant(
            "unit/test_clock_changes.py::test_around_clock_changes",
            "localtime.py",
            "            local = end - SECOND  # everything",
            "            pass  # everything",
        ),
    ],
    "a lease too short to live with": [
        Mutant(
            "acceptance/test_cli_worker.py::test_a_setting_that_cannot_work",
            "settings.py",
            "        if self.lease_ttl < 3:",
            "        if False:",
        ),
    ],
    "a thread of the application that never ends": [
        Mutant(
            "test_surroundings.py::test_a_thread_that_never_ends",
            "supervisor/fork.py",
            "        real_exit(code)\n",
            "        sys.exit(code)\n",
        ),
    ],
    "a reload: broken code, load, fifty of them": [
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
    ],
    "what the application and its tasks leave behind": [
        Mutant(
            "test_roll.py::test_orphans_of_a_worker",
            "supervisor/supervisor.py",
            "        if self.plan.owns_process:\n            fork.reap_orphans",
            "        if False:\n            fork.reap_orphans",
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
    ],
    "a service manager that must be told the truth": [
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
    ],
    "a fault of the engine itself": [
        Mutant(
            "unit/test_runner.py::test_what_nobody_foresaw_in_the_claiming_thread",
            "worker/worker.py",
            "        except Exception as error:  # noqa: BLE001  # what nobody foresaw",
            "        except StoreUnavailable as error:  # what nobody foresaw",
        ),
        Mutant(
            "unit/test_runner.py::test_what_nobody_foresaw_and_does_not_pass",
            "worker/store_health.py",
            "        if self._failures >= MOST_UNFORESEEN and",
            "        if False and",
        ),
        Mutant(
            "unit/test_runner.py::test_an_exception_that_cannot_be_shown",
            "worker/attempt.py",
            "    except BaseException as broken:  # noqa: BLE001  # a __str__",
            "    except Exception as broken:  # noqa: BLE001  # a __str__",
        ),
        Mutant(
            "unit/test_runner.py::test_limits_are_asked_for_once",
            "worker/running.py",
            "        limit = current.timeout",
            "        limit = limits_of(self._handler, task).timeout",
        ),
        Mutant(
            "unit/test_duties.py::test_a_worker_that_cannot_be_buried",
            "supervisor/burial.py",
            "            except Exception as error:",
            "            except ZeroDivisionError as error:",
        ),
        Mutant(
            "unit/test_duties.py::test_a_worker_that_cannot_be_swept",
            "worker/duties.py",
            "    except Exception as error:",
            "    except ZeroDivisionError as error:",
        ),
        Mutant(
            "unit/test_runner.py::test_a_fault_of_the_engine",
            "worker/running.py",
            "except BaseException as error:  # noqa: BLE001  # ours",
            "except ZeroDivisionError as error:  # noqa: BLE001  # ours",
        ),
    ],
    "an answer of a server that is out of step": [
        Mutant(
            "faults/test_garbled_reply.py::test_an_answer_out_of_step",
            "backends/sql/mysql_errors.py",
            'type(error).__name__ == "InternalError"',
            "False",
        ),
    ],
}
