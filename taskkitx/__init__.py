"""A task queue for Python: processes times threads, coordinated by a store you already run."""
