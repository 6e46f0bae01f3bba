"""The decorator door: a Queue is a handler made from a registry of functions, plus a Kit."""
