"""The containers, really built, started, used and stopped."""
