"""The formats of torch.save, read as data: nothing in a file is executed."""
