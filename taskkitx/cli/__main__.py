"""`python -m taskkitx.cli`, for where the script is not on the path."""

from taskkitx.cli import main

main(prog_name="taskkitx")
