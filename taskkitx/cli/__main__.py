"""`python -m taskkitx.cli`, the same as `taskkitx`."""

from taskkitx.cli import main

main()
