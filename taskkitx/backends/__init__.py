"""Stores: implementations of the port in `taskkitx.backend`. Drivers are imported in here and nowhere else."""
