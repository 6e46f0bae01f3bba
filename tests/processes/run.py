"""`python -m tests.processes.run CONFIG`: run a supervisor as the command line would, for `tests.processes.tree`."""

import errno
import json
import os
import resource
import sys

from taskkitx import log
from taskkitx.errors import ConfigurationError
from taskkitx.settings import Settings
from tests.processes import points, toy


def main() -> int:
    """Returns the exit code."""
    config = json.loads(sys.argv[1])
    if config.pop("toy", True):
        toy.install()
    if kind := config.pop("backend", None):
        points.install(getattr(points, kind))
    if limit := config.pop("descriptors", 0):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    _let_forks_fail(config.pop("fork_fails", 0))
    from taskkitx.supervisor.plan import Plan
    from taskkitx.supervisor.supervisor import supervise
    from taskkitx.supervisor.target import AppTarget

    try:
        settings = Settings.from_environment(**config.pop("settings", {}))
        log.configure(format=settings.log_format, level=settings.log_level)
        return supervise(
            AppTarget(config.pop("path", "app:kit")), Plan(owns_process=True, **config), settings
        )
    except ConfigurationError as error:
        log.boot_refused(reason=error)
        return 78


def _let_forks_fail(times):
    """As with RLIMIT_NPROC, which does not bind root."""
    fork, failures = os.fork, iter(range(times))

    def failing():
        if next(failures, None) is not None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return fork()

    os.fork = failing


if __name__ == "__main__":
    sys.exit(main())
