"""The setup of the benchmarks: models, photographs, ports, environments."""
