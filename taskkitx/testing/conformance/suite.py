"""All areas of the suite in one class."""

from taskkitx.testing.conformance.claim import ClaimConformance
from taskkitx.testing.conformance.fencing import FencingConformance
from taskkitx.testing.conformance.outcomes import OutcomeConformance
from taskkitx.testing.conformance.put import PutConformance
from taskkitx.testing.conformance.unique import UniqueConformance


class BackendConformance(
    PutConformance,
    UniqueConformance,
    ClaimConformance,
    OutcomeConformance,
    FencingConformance,
):
    """Everything the port promises. Inherit it in a class whose name begins with Test."""
