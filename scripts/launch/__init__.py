"""Starting TorchServe, gateway and page, and managing the served versions."""
