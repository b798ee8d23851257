"""What every benchmark needs: models, photographs, ports, environments."""
