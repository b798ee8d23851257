"""From a checkpoint to a checked artefact and a model archive."""
