"""`python -m gateway.keys`, the command where only the gateway is installed."""

from gateway.keys.command import main

if __name__ == "__main__":
    main()
