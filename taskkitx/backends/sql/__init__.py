"""Stores that speak SQL: one row per task for its whole life, claimed by updating it."""
