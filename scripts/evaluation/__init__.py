"""Evaluation of a model on labelled images: predictors, scores, reports."""
