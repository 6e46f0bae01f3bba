"""`make demo`: tokenizes the standard library in several processes, kills one, and checks that nothing is lost."""

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.tokens import Counts, count
from taskkitx import InitiateTaskArgs, Result
from taskkitx.backend import Backend

PROCESSES, THREADS = 2, 4
PATIENCE = 120.0

console = Console()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="taskkitx-demo-") as folder:
        os.environ["TASKKITX_URL"] = f"sqlite:///{folder}/demo.db"
        os.environ["TOKENS_LEDGER"] = f"{folder}/ledger"
        return demo(Path(folder))


def demo(folder: Path) -> int:
    # The environment names the store before the application is imported.
    from examples.tokens import Tokens
    from taskkitx import make_kit

    kit = make_kit(Tokens())
    files = standard_library()
    console.print(
        f"[bold]taskkitx[/]: {len(files)} files of the standard library, one task each; "
        f"{PROCESSES} processes x {THREADS} threads on a SQLite file in {folder}"
    )
    began = time.monotonic()
    results = kit.initiate_tasks(
        *(InitiateTaskArgs(group="default", name="count", data=str(file)) for file in files)
    )
    console.print(f"initiated {len(results)} tasks in {time.monotonic() - began:.2f} s")
    supervisor = start_supervisor(folder)
    try:
        began = time.monotonic()
        killed = watch(kit.backend, len(results), supervisor)
        elapsed = time.monotonic() - began
    finally:
        supervisor.send_signal(signal.SIGTERM)
        code = supervisor.wait(60)
    counts = [result.get(timeout=10) for result in results]
    report(counts, results, elapsed, folder / "ledger", killed)
    console.print(f"supervisor stopped with exit code {code}")
    return 0 if check(files, counts) and code == 0 else 1


def standard_library() -> list[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    return sorted(
        file for file in root.rglob("*.py") if "site-packages" not in file.parts and file.is_file()
    )


def start_supervisor(folder: Path) -> "subprocess.Popen[bytes]":
    log = (folder / "worker.log").open("wb")
    command = [sys.executable, "-m", "taskkitx.cli", "worker", "--app", "examples.tokens:kit"]
    command += ["-p", str(PROCESSES), "-t", f"default={THREADS}"]
    return subprocess.Popen(command, stdout=log, stderr=log)


def watch(
    backend: Backend, total: int, supervisor: "subprocess.Popen[bytes]"
) -> tuple[int, float, set[str]]:
    """Show progress, kill one worker in the middle; returns its pid, when it died, and what it was running."""
    killed: tuple[int, float, set[str]] | None = None
    deadline = time.monotonic() + PATIENCE
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("tokenizing", total=total)
        done = 0
        while done < total:
            if supervisor.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the supervisor ended early, with {supervisor.returncode}")
            (status,) = backend.groups()
            done = sum(n for state, n in status.counts.items() if state.finished)
            progress.update(bar, completed=done)
            if killed is None and done > total // 3:
                killed = kill_a_worker(backend)
                if killed is not None:
                    progress.console.print(
                        f"[red]kill -9[/] {killed[0]}: a worker with {len(killed[2])} claimed tasks is gone"
                    )
            time.sleep(0.05)
    if killed is None:
        raise SystemExit("all was done before a worker could be killed")
    return killed


def kill_a_worker(backend: Backend) -> tuple[int, float, set[str]] | None:
    """Kill a worker that has tasks in hand, without a word of warning."""
    for worker in backend.workers():
        owned = {task_id for task_id, _ in backend.owned(worker.id, 0.0)}
        if owned:
            os.kill(worker.pid, signal.SIGKILL)
            return worker.pid, time.monotonic(), owned
    return None


def report(
    counts: list[Counts],
    results: list[Result[Counts]],
    elapsed: float,
    ledger: Path,
    killed: tuple[int, float, set[str]],
) -> None:
    pid, died, claimed = killed
    starts = [line.split() for line in ledger.read_text().splitlines()]
    interrupted = {id_ for id_, _, started_by, _ in starts if int(started_by) == pid} & claimed
    restarted = sorted(
        float(at) - died
        for id_, _, started_by, at in starts
        if id_ in interrupted and int(started_by) != pid and float(at) > died
    )
    attempts = Counter(len([1 for one in group]) for group in _by_task(starts).values())
    table = Table(title="what was done", show_header=False)
    table.add_row("files", f"{len(counts):,}")
    table.add_row("lines", f"{sum(one['lines'] for one in counts):,}")
    table.add_row("tokens", f"{sum(one['tokens'] for one in counts):,}")
    table.add_row("tasks/s", f"{len(counts) / elapsed:,.0f}")
    if restarted:
        table.add_row(
            "interrupted tasks ran again after",
            f"{restarted[0] * 1000:.0f} ms (first of {len(restarted)}), {restarted[-1] * 1000:.0f} ms (last)",
        )
    table.add_row("attempts", ", ".join(f"{n} x {tries}" for tries, n in sorted(attempts.items())))
    for one in sorted(counts, key=lambda one: -one["seconds"])[:5]:
        table.add_row("slowest", f"{one['seconds']:.2f} s  {Path(one['file']).name}")
    console.print(table)


def _by_task(starts: list[list[str]]) -> dict[str, list[str]]:
    tasks: dict[str, list[str]] = {}
    for task_id, attempt, *_ in starts:
        tasks.setdefault(task_id, []).append(attempt)
    return tasks


def check(files: list[Path], counts: list[Counts]) -> bool:
    """Against a plain loop over the same files: each counted exactly once, with the same figures."""
    plain = {str(file): count(str(file)) for file in files}
    seen = Counter(one["file"] for one in counts)
    same = all(
        (one["lines"], one["tokens"]) == (plain[one["file"]]["lines"], plain[one["file"]]["tokens"])
        for one in counts
    )
    exact = same and set(seen) == set(plain) and set(seen.values()) == {1}
    verdict = "[green]every file counted exactly once[/]" if exact else "[red]the counts differ[/]"
    console.print(f"check against a plain loop: {verdict}")
    return exact


if __name__ == "__main__":
    sys.exit(main())
