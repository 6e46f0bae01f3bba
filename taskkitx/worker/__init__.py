"""One worker: claims for all its groups, runs tasks in a thread pool per group, writes outcomes."""
