"""Starting TorchServe with its agent, gateway and page."""
