"""What is counted, timed, traced and logged."""
