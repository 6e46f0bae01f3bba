"""Any backend against the memory reference: a Hypothesis state machine does the same to both, and compares every
answer and, after every step, all that the stores know.

    def test_model() -> None:
        check_against_memory(lambda clock: MyBackend(fresh_store(), clock=clock))

Where the port leaves something to the store, the machine does not go, or `seen` looks away.
"""

from taskkitx.testing.model.check import BackendMachine, check_against_memory
from taskkitx.testing.model.ground import MakeSubject

__all__ = ["BackendMachine", "MakeSubject", "check_against_memory"]
