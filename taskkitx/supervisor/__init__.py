"""The supervisor: forks worker processes and a keeper, watches them, and replaces what dies."""
