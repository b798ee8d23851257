"""How good a model is on labelled pictures: who predicts, what is counted, how it is told."""
