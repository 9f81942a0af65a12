"""From texts to vectors: claimed across documents, taken from what is stored or cached, else asked for."""
