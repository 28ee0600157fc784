"""`python -m flows.cli`, the same as `autorec`."""

from flows.cli.app import main

main()
