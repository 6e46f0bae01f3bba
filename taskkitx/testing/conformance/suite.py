"""All areas of the suite in one class."""

from taskkitx.testing.conformance.cancel import CancelConformance, ProgressConformance
from taskkitx.testing.conformance.claim import ClaimConformance
from taskkitx.testing.conformance.fencing import FencingConformance
from taskkitx.testing.conformance.hints import HintConformance, WaitConformance
from taskkitx.testing.conformance.leases import LeaseConformance
from taskkitx.testing.conformance.outcomes import OutcomeConformance
from taskkitx.testing.conformance.pause import PauseConformance
from taskkitx.testing.conformance.put import PutConformance
from taskkitx.testing.conformance.racing import RacingConformance
from taskkitx.testing.conformance.reads import ReadConformance
from taskkitx.testing.conformance.restore import RestoreConformance
from taskkitx.testing.conformance.retention import RetentionConformance
from taskkitx.testing.conformance.retry import RetryConformance
from taskkitx.testing.conformance.returned import ReturnConformance
from taskkitx.testing.conformance.schedules import ScheduleConformance
from taskkitx.testing.conformance.text import TextConformance
from taskkitx.testing.conformance.unique import UniqueConformance


class BackendConformance(
    PutConformance,
    UniqueConformance,
    ClaimConformance,
    OutcomeConformance,
    FencingConformance,
    ReturnConformance,
    LeaseConformance,
    RestoreConformance,
    CancelConformance,
    RetryConformance,
    ProgressConformance,
    PauseConformance,
    ReadConformance,
    ScheduleConformance,
    RetentionConformance,
    HintConformance,
    WaitConformance,
    TextConformance,
    RacingConformance,
):
    """Everything the port promises. Inherit it in a class whose name begins with Test."""
