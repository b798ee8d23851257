"""Export of a checkpoint as a checked artefact, and packaging as a model archive."""
