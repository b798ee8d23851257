"""Pure code for masks of class ids: arrays and bytes in, values out."""
