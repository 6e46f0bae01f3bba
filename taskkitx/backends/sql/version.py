"""The schema revision this code works with; on its own, so that looking at it imports nothing."""

VERSION = "0001"
