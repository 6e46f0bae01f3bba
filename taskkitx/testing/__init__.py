"""What others need to test what they build on taskkitx: the conformance suite of the port, a clock, a model machine.

The parts that import pytest or hypothesis are modules of their own; `import taskkitx.testing` needs neither.
"""

from taskkitx.testing.clock import FakeClock

__all__ = ["FakeClock"]
