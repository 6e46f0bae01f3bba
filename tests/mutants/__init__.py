"""Broken builds: each takes one precaution away, and names the test that must then fail."""
