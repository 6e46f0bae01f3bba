"""A store inside the process: the reference model of the port, and a store for tests and notebooks.

Nothing is indexed and nothing outlives the process; plain and right come before fast.
"""

from taskkitx.backends.memory.backend import MemoryBackend
from taskkitx.backends.memory.bridge import MemoryBridge

__all__ = ["MemoryBackend", "MemoryBridge"]
