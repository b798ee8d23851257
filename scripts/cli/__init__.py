"""What all sub-commands share: their options, the configuration file, and how they fail."""
