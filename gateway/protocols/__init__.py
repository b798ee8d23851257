"""Other programs' protocols: the same results, one folder for each foreign client."""
