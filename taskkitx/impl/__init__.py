"""`make_kit` under the import names of taskkit: one module for each kind of store."""
