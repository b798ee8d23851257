"""Run the command `python -m gateway.keys`."""

from gateway.keys.command import main

if __name__ == "__main__":
    main()
