"""The pure part of the handler: from image bytes to class ids. Knows no HTTP and no TorchServe."""
