"""`python -m fogbank` is the `fogbank` command."""

from fogbank.gateway.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
