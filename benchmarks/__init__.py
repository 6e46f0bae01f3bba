"""What taskkitx costs, each figure beside the floor it is measured against in the same run: `python -m benchmarks`."""
