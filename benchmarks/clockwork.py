"""The application under measurement for schedules: one entry every second."""

from benchmarks.app import NoOp
from taskkitx import Kit, RegularSchedule, make_kit

kit: Kit[str, str] = make_kit(
    NoOp(),
    schedule_entries={
        "clock": [
            {
                "key": "pulse",
                "schedule": RegularSchedule("*"),
                "group": "default",
                "name": "when",
                "data": "1",
                "missed": "all(100)",
            }
        ]
    },
)
